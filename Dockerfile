# The binary with everything: RocksDB, TLS, all sinks. The first stage has what it takes to build them.
FROM rust:1.90-slim-bookworm AS build
RUN apt-get update \
 && apt-get install --yes --no-install-recommends g++ libclang-dev make perl \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
ARG QUIPU_COMMIT=
# Two thirds of the binary are the lines of backtraces; functions keep their names.
ENV CARGO_PROFILE_RELEASE_STRIP=debuginfo
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --release --locked --bin quipu && cp target/release/quipu /quipu

FROM debian:bookworm-slim
# The certificates of CAs are for sinks that speak TLS.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libstdc++6 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/quipu --create-home quipu
COPY --from=build /quipu /usr/local/bin/quipu
USER 10001
WORKDIR /var/lib/quipu
VOLUME /var/lib/quipu
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=5s CMD ["quipu", "health"]
ENTRYPOINT ["quipu"]
CMD ["aggregate"]
