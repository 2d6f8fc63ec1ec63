# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel and a virtual environment from the hash-pinned lock, the
# second holds nothing but Python and that environment; it runs no shell and writes nothing outside
# of its mounts. For linux/amd64 and linux/arm64, glibc 2.34 or newer: the lock has wheels of all.
#
# The tag is for trying it out. A release names the base by its digest, which only whoever can see
# the registry knows; `make image` asks for it, and refuses a mere tag.
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM ${BASE} AS build
WORKDIR /source
COPY requirements/build.lock requirements/run.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/build \
 && python -m venv --without-pip /opt/gateway \
 && /opt/build/bin/pip install --only-binary=:all: --require-hashes -r requirements/build.lock \
 && /opt/build/bin/pip --python /opt/gateway/bin/python install --only-binary=:all: \
      --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway/ gateway/
COPY policies/ policies/
RUN /opt/build/bin/hatchling build -t wheel \
 && /opt/build/bin/pip --python /opt/gateway/bin/python install --no-deps --no-index dist/*.whl \
 && mkdir -p /opt/gateway/share \
 && /opt/build/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
      --output-file /opt/gateway/share/sbom.cdx.json /opt/gateway/bin/python

FROM ${BASE}
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="privacy-gateway" \
      org.opencontainers.image.description="Releases an export only to the person whose data it is" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it isn't root. Mount a volume for the spool
# (spool.directory) and one for the decision log, and make the rest read-only.
USER 65532:65532
EXPOSE 8080 8282
# For Docker; Kubernetes ignores it, and asks /readyz and /healthz.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD ["/opt/gateway/bin/python", "-I", "-m", "gateway.health"]
ENTRYPOINT ["privacy-gateway"]
CMD ["run", "--config", "/etc/privacy-gateway/gateway.yaml"]
