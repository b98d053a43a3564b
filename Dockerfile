# The fleet's images.  docker build --target worker -t maestro:0.1.0 .
#
#   worker   maestro and maestro-entry, static, on nothing at all: every worker but heal, and every other command
#   heal     the same with what healing needs: git, Python, uv, Node, bubblewrap
#   entry    maestro-entry alone, for tests in environments (`--entry-image`); the worker image serves as well
#
# The stages call deploy/image.sh, so that what they do can be tried without a container engine. Both bases may be named, to build
# from a registry of one's own or from images made on this machine:  --build-arg BUILD_BASE=localhost/rust:1.95
ARG BUILD_BASE=docker.io/library/rust:1.95.0-slim-trixie
ARG HEAL_BASE=docker.io/library/debian:trixie-slim

FROM ${BUILD_BASE} AS build
# cargo's profile; `dev` builds sooner and bigger.
ARG PROFILE=release
WORKDIR /src
COPY . .
# Unpinned: a Debian release keeps one version of each and replaces it when there is something to mend.
# hadolint ignore=DL3008
RUN command -v cc readelf >/dev/null && [ -r /etc/ssl/certs/ca-certificates.crt ] || \
    { apt-get -q update && apt-get -q -y --no-install-recommends install binutils ca-certificates gcc libc6-dev; }
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    PROFILE=${PROFILE} deploy/image.sh programs /out/programs
RUN deploy/image.sh root /out/root

FROM scratch AS entry
COPY --from=build /out/programs/maestro-entry /maestro-entry
USER 65532:65532
ENTRYPOINT ["/maestro-entry"]

FROM ${HEAL_BASE} AS heal
COPY deploy/image.sh /tmp/deploy/image.sh
RUN /tmp/deploy/image.sh heal && rm -rf /tmp/deploy
COPY --from=build /out/programs/maestro /usr/local/bin/maestro
ENV HOME=/var/lib/maestro MAESTRO_DATA_DIR=/var/lib/maestro
WORKDIR /var/lib/maestro
USER 65532:65532
ENTRYPOINT ["maestro"]
CMD ["worker", "heal"]

# Last, so that it is what a build without --target makes.
FROM scratch AS worker
COPY --from=build /out/root/ /
COPY --from=build /out/programs/maestro /usr/local/bin/maestro
COPY --from=build /out/programs/maestro-entry /maestro-entry
ENV PATH=/usr/local/bin HOME=/var/lib/maestro MAESTRO_DATA_DIR=/var/lib/maestro
WORKDIR /var/lib/maestro
USER 65532:65532
ENTRYPOINT ["maestro"]
CMD ["--help"]
