# syntax=docker/dockerfile:1
# A release pins the base: --build-arg PYTHON_TAG=3.11-slim-bookworm@sha256:... (docs/install.md says where the
# digest comes from). Both stages have the same interpreter at the same path.
ARG PYTHON_IMAGE=python
ARG PYTHON_TAG=3.11-slim-bookworm

FROM ${PYTHON_IMAGE}:${PYTHON_TAG} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/davylamp \
    && /opt/davylamp/bin/pip install --require-hashes --only-binary :all: -r requirements.lock
# What builds the wheel is locked too: a build backend is code that runs here.
RUN printf '%s\n' \
    'hatchling==1.28.0 --hash=sha256:4d50b02aece6892b8cd0b3ce6c82cb218594d3ec5836dbde75bf41a21ab004c8 --hash=sha256:dc48722b68b3f4bbfa3ff618ca07cdea6750e7d03481289ffa8be1521d18a961' \
    'packaging==26.3 --hash=sha256:94edc256424af38762eb31306eed28beb9f0efc50a8837492c9d6fd6004aed79 --hash=sha256:d7193f7c8e4e93f444fde0262bf90af30e16fa0ad0ad44cb553c87339b23cd1c' \
    'pathspec==1.1.1 --hash=sha256:17db5ecd524104a120e173814c90367a96a98d07c45b2e10c2f3919fff91bf5a --hash=sha256:a00ce642f577bf7f473932318056212bc4f8bfdf53128c78bbd5af0b9b20b189' \
    'pluggy==1.7.0 --hash=sha256:7dd7b0d8832ba3cb632c306926ded123429211b83641b35dc5c41ad2d34f9bec --hash=sha256:d1eaa46ebb595891b860ab086b4d09c8588af65ebd4361b8e8f4bb8920b90ba8' \
    'trove-classifiers==2026.9.21.13 --hash=sha256:0a9ebc8d4e2f3e8a22848c5258033035bec17a3012ac3fea16dbaa764489eb71 --hash=sha256:8b1ff4f9c191b1040b71c37f1e445ab99732911e3cd91de52838453a854d7a17' \
    > build.lock \
    && python -m venv /opt/builder \
    && /opt/builder/bin/pip install --require-hashes --only-binary :all: -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY config ./config
COPY detectors ./detectors
COPY playbooks ./playbooks
COPY connectors ./connectors
COPY daemon ./daemon
RUN /opt/builder/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /opt/wheel . \
    && /opt/davylamp/bin/pip install --no-deps --no-index --no-compile /opt/wheel/*.whl \
    && /opt/davylamp/bin/pip uninstall --yes pip setuptools \
    && /opt/davylamp/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/davylamp/lib \
    && mkdir /opt/state

FROM ${PYTHON_IMAGE}:${PYTHON_TAG}
ARG PYTHON_IMAGE
ARG PYTHON_TAG
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="davylamp" \
      org.opencontainers.image.description="Recognises attacks, rotates leaked credentials, proves the old ones dead" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="${PYTHON_IMAGE}:${PYTHON_TAG}"
COPY --from=build /opt/davylamp /opt/davylamp
COPY --from=build --chown=65532:65532 /opt/state /var/lib/davylamp
ENV PATH=/opt/davylamp/bin:$PATH \
    PYTHONSAFEPATH=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    DAVYLAMP_STATE_DIR=/var/lib/davylamp
USER 65532:65532
WORKDIR /tmp
# checkov:skip=CKV_DOCKER_2: each role answers /healthz and /readyz, and the kubelet asks there; five roles
# share one image, so a HEALTHCHECK would not know which port to ask
ENTRYPOINT ["/opt/davylamp/bin/davylamp"]
CMD ["run", "--config", "/etc/davylamp/config.yaml"]
