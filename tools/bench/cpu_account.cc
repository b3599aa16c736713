// Reading /proc.
#include "tools/bench/cpu_account.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::bench {

namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const double tick = 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK));

struct ProcessTime {
  bool kernel_thread;
  double seconds;
};

// pid (name) state parent … ; the name may hold spaces and brackets. Fields 14 and 15 are user and system ticks, 9
// flags.
std::optional<ProcessTime> time_of(int pid) {
  const std::string text = contents("/proc/" + std::to_string(pid) + "/stat");
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 2));
  std::vector<std::string> field;
  for (std::string word; field.size() < 13 && fields >> word;) field.push_back(word);
  if (field.size() < 13) return std::nullopt;
  constexpr unsigned long kernel_thread_flag = 0x00200000;
  const bool kernel = (std::strtoul(field[6].c_str(), nullptr, 10) & kernel_thread_flag) != 0;
  return ProcessTime{kernel, (std::atof(field[11].c_str()) + std::atof(field[12].c_str())) * tick};
}

// cpu user nice system idle iowait irq softirq steal …
double machine_busy() {
  std::istringstream line(contents("/proc/stat"));
  std::string name;
  double user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0;
  line >> name >> user >> nice >> system >> idle >> waiting >> irq >> softirq;
  return (user + nice + system + irq + softirq) * tick;
}

double seconds(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; }

double grown(const std::unordered_map<int, double>& before, int pid, double now) {
  const auto found = before.find(pid);
  return found == before.end() ? now : std::max(0.0, now - found->second);
}

}  // namespace

CpuAccount::Sample CpuAccount::take() {
  Sample sample;
  DIR* directory = ::opendir("/proc");
  if (directory != nullptr) {
    while (const dirent* entry = ::readdir(directory)) {
      const int pid = std::atoi(entry->d_name);
      if (pid <= 0) continue;
      const std::optional<ProcessTime> time = time_of(pid);
      if (time) (time->kernel_thread ? sample.kernel_threads : sample.processes)[pid] = time->seconds;
    }
    ::closedir(directory);
  }
  sample.busy = machine_busy();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  sample.own = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  sample.at = static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  return sample;
}

void CpuAccount::begin() { before_ = take(); }

CpuUse CpuAccount::use() const {
  const Sample after = take();
  CpuUse use;
  const int self = ::getpid();
  for (const auto& [pid, time] : after.processes) {
    const double spent = grown(before_.processes, pid, time);
    if (broker_ && pid == *broker_) {
      use.broker += spent;
    } else if (pid != self) {
      use.others += spent;
    }
  }
  for (const auto& [pid, time] : after.kernel_threads) use.kernel_threads += grown(before_.kernel_threads, pid, time);
  use.generator = after.own - before_.own;
  use.busy = after.busy - before_.busy;
  use.wall = after.at - before_.at;
  return use;
}

size_t resident_bytes(int pid) {
  const std::string text = contents("/proc/" + std::to_string(pid) + "/status");
  const size_t at = text.find("VmRSS:");
  return at == std::string::npos ? 0 : std::strtoul(text.c_str() + at + 6, nullptr, 10) * 1024;
}

}  // namespace millrace::bench
