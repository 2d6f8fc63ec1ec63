# syntax=docker/dockerfile:1
# Two stages: the first builds the wheel and a virtual environment from the hash-pinned lock, the
# second holds nothing but Python and that environment. Pin the base by digest when you mirror it:
#   docker build --build-arg BASE=<registry>/python:3.11-slim-bookworm@sha256:... .
ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY requirements/ requirements/
RUN python -m venv /opt/build && python -m venv /opt/gateway \
 && /opt/build/bin/pip install --require-hashes -r requirements/dev.lock \
 && /opt/gateway/bin/pip install --require-hashes -r requirements/run.lock
COPY pyproject.toml README.md LICENSE ./
COPY gateway/ gateway/
COPY policies/ policies/
RUN /opt/build/bin/hatchling build -t wheel \
 && /opt/gateway/bin/pip install --no-deps --no-index dist/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="privacy-gateway" \
      org.opencontainers.image.description="Releases an export only to the person whose data it is" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/gateway /opt/gateway
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that Kubernetes can see that it isn't root. The root file system may be read-only:
# mount a volume for the spool (spool.directory) and one for the decision log.
USER 65532:65532
EXPOSE 8080 8282
HEALTHCHECK --interval=10s --timeout=3s CMD ["/opt/gateway/bin/python", "-c", \
  "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8282/healthz', timeout=2)"]
ENTRYPOINT ["privacy-gateway"]
CMD ["run", "--config", "/etc/privacy-gateway/gateway.yaml"]
