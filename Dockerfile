# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/davylamp && /opt/davylamp/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY config ./config
COPY detectors ./detectors
COPY playbooks ./playbooks
COPY connectors ./connectors
COPY daemon ./daemon
RUN /opt/davylamp/bin/pip install --no-deps . && /opt/davylamp/bin/python -m compileall -q /opt/davylamp/lib

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="davylamp" \
      org.opencontainers.image.description="Recognises attacks, rotates leaked credentials, proves the old ones dead" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/davylamp /opt/davylamp
ENV PATH=/opt/davylamp/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /tmp
ENTRYPOINT ["davylamp"]
CMD ["run", "--config", "/etc/davylamp/config.yaml"]
