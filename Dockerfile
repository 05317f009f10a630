# The binary with all features: RocksDB, TLS, all sinks. The first stage builds it.
FROM rust:1.90-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ libclang-dev make perl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
ARG QUIPU_COMMIT=
# Two thirds of the binary are debug information. Backtraces keep the names of functions without it.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin quipu && cp target/release/quipu /quipu

FROM debian:bookworm-slim
# The CA certificates are for sinks that use TLS.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/quipu --create-home quipu
COPY --from=build /quipu /usr/local/bin/quipu
USER 10001
WORKDIR /var/lib/quipu
VOLUME /var/lib/quipu
# Probes and published ports reach a container from outside, so HTTP is served on all addresses. Set http.token_file, or
# publish the port only where authorized clients can reach it.
ENV QUIPU_HTTP_LISTEN=0.0.0.0:9464
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s CMD ["quipu", "health"]
ENTRYPOINT ["quipu"]
CMD ["aggregate"]
