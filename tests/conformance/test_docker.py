"""The image: built from the Dockerfile, run as a user would, asked by kcat. Says so where no Docker engine can be started."""
import os
import shutil
import subprocess
import tempfile

import pytest

from conftest import MILLRACE, ROOT, free_ports, run, wait_until

BASE = "debian:bookworm-slim"


def docker(*arguments, **options):
    return run("docker", *arguments, **options).decode()


def answers():
    return subprocess.run(["docker", "info"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


@pytest.fixture(scope="module")
def engine():
    if shutil.which("docker") is None:
        pytest.skip("no docker command on this machine")
    daemon = None
    if not answers():
        if shutil.which("dockerd") is None or os.geteuid() != 0:
            pytest.skip("no Docker engine is running, and none can be started here")
        daemon = subprocess.Popen(["dockerd"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until("the Docker engine", answers, 30)
        except TimeoutError:
            daemon.terminate()
            pytest.skip("the Docker engine does not start on this machine")
    yield
    if daemon:
        daemon.terminate()
        daemon.wait()


@pytest.fixture(scope="module")
def base_image(engine):
    """From a registry where one is reachable; made from Debian's packages otherwise."""
    if docker("images", "-q", BASE).strip():
        return
    pulled = subprocess.run(["docker", "pull", "-q", BASE], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
    if pulled.returncode == 0:
        return
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        pytest.skip(f"no {BASE}: no registry answers and debootstrap is not installed")
    with tempfile.TemporaryDirectory() as root:
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root, timeout=600)
        tar = subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE)
        run_import = subprocess.run(["docker", "import", "-", BASE], stdin=tar.stdout, stdout=subprocess.DEVNULL)
        assert tar.wait() == 0 and run_import.returncode == 0


@pytest.fixture(scope="module")
def image(base_image, tmp_path_factory):
    """With the binary that was just built."""
    context = tmp_path_factory.mktemp("image")
    shutil.copy(ROOT / "Dockerfile", context / "Dockerfile")
    shutil.copytree(ROOT / "conf", context / "conf")
    (context / "build/release").mkdir(parents=True)
    shutil.copy(MILLRACE, context / "build/release/millrace")
    built = subprocess.run(["docker", "build", "-q", "--network", "host", "--build-arg", "PREBUILT=yes", "-t", "millrace-test", str(context)],
                           capture_output=True, text=True, timeout=900, env=os.environ | {"DOCKER_BUILDKIT": "0"})
    assert built.returncode == 0, built.stderr[-2000:]
    return "millrace-test"


def kcat(port, *arguments, **options):
    return run("kcat", "-b", f"127.0.0.1:{port}", "-X", "broker.address.family=v4", *arguments, **options)


def test_the_image_serves_kcat_as_an_ordinary_user_and_keeps_its_volume(image):
    port, = free_ports(1)
    volume = f"millrace-test-{port}"
    command = ["run", "-d", "-p", f"127.0.0.1:{port}:{port}", "-v", f"{volume}:/var/lib/millrace", image, "serve", "/etc/millrace/server.properties",
               "--override", "log.dirs=/var/lib/millrace/data", "--override", f"listeners=PLAINTEXT://:{port},CONTROLLER://localhost:9093",
               "--override", f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}"]
    containers = []
    try:
        containers.append(docker(*command).strip())
        wait_until("the container's broker", lambda: "Kafka Server started" in docker("logs", containers[-1]))
        assert docker("exec", containers[-1], "id", "-u").strip() == "1000"
        kcat(port, "-P", "-t", "boxed", input=b"one\ntwo\n")
        docker("stop", containers[-1])
        assert docker("inspect", "-f", "{{.State.ExitCode}}", containers[-1]).strip() == "0"
        containers.append(docker(*command).strip())
        wait_until("the second container's broker", lambda: "Kafka Server started" in docker("logs", containers[-1]))
        assert kcat(port, "-C", "-t", "boxed", "-o", "beginning", "-e", "-q") == b"one\ntwo\n"
    finally:
        for container in containers:
            docker("rm", "-f", container)
        docker("volume", "rm", "-f", volume)


def test_the_image_without_arguments_becomes_healthy(image):
    container = docker("run", "-d", image).strip()
    try:
        wait_until("the health check", lambda: docker("inspect", "-f", "{{.State.Health.Status}}", container).strip() == "healthy", 40)
    finally:
        docker("rm", "-f", container)
