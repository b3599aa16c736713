# Millrace as an image: docker build -t millrace . && docker run -p 9092:9092 millrace
#   --build-arg PREBUILT=yes   takes build/release/millrace from this directory instead of building it
FROM debian:bookworm-slim AS build
ARG PREBUILT=no
WORKDIR /src
COPY . .
RUN if [ "$PREBUILT" != yes ]; then tools/setup && tools/build release millrace; fi && cp build/release/millrace /millrace

FROM debian:bookworm-slim
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
      libdate-tz3 libdouble-conversion3 libfmt9 libicu72 libisal2 liblz4-1 libre2-9 libsimdjson14 libsnappy1v5 libssl3 libstdc++6 \
      liburing2 libzstd1 zlib1g tzdata \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home --shell /usr/sbin/nologin appuser \
 && mkdir -p /var/lib/millrace /etc/millrace && chown appuser:appuser /var/lib/millrace
COPY --from=build /millrace /usr/local/bin/millrace
COPY conf /etc/millrace
USER appuser
WORKDIR /var/lib/millrace
VOLUME /var/lib/millrace
EXPOSE 9092 8083
HEALTHCHECK --interval=5s --timeout=3s --start-period=2s CMD ["millrace", "topics", "list"]
ENTRYPOINT ["millrace"]
CMD ["serve", "/etc/millrace/server.properties", "--override", "log.dirs=/var/lib/millrace/data", "--override", "millrace.http.listener=0.0.0.0:8083"]
