# Pharos in a container: docker build -t pharos . && docker run -p 8080:8080 -v pharos-data:/data pharos
# The admin key of the first start is in the log: docker logs CONTAINER

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The caches stay on the builder: a second build compiles only what changed.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --package pharos \
    && install -m 0755 target/release/pharos /usr/local/bin/pharos

FROM debian:bookworm-slim
RUN groupadd --gid 10001 pharos \
    && useradd --uid 10001 --gid pharos --home-dir /data --no-create-home --shell /usr/sbin/nologin pharos \
    && install -d -o pharos -g pharos -m 0750 /data
COPY --from=build /usr/local/bin/pharos /usr/local/bin/pharos
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/pharos/

USER pharos
WORKDIR /data
VOLUME /data
ENV PHAROS_DATA_DIR=/data \
    DATABASE_URL=sqlite:///data/pharos.db?mode=rwc \
    PHAROS_LISTEN=0.0.0.0:8080
EXPOSE 8080

# Bash speaks TCP itself, so the image needs no HTTP client. Ready means: the database answers.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["/bin/bash", "-c", "exec 3<>\"/dev/tcp/127.0.0.1/${PHAROS_LISTEN##*:}\" && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]

ENTRYPOINT ["pharos"]
CMD ["serve"]
