# One image for every process of ours; which one a container runs is its command (docker-compose.yml).
#
#   docker build -t thecaflow:0.1.0 --build-arg REVISION=$(git rev-parse HEAD) .
#   docker run --rm --read-only --tmpfs /tmp thecaflow:0.1.0 simulate --case founding
#
# It runs as a user without a name, on a root file system that may be read-only: /tmp is all it writes to.

FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# Dependencies first: they change seldom, so their layers are kept. Wheels only, so that no compiler is needed.
COPY requirements.txt requirements-dev.txt ./
RUN python -m venv --without-pip /opt/thecaflow \
    && python -m pip --python /opt/thecaflow/bin/python install --only-binary :all: --require-hashes -r requirements.txt
# What builds our wheel, out of the development pins: hatchling with all that it needs itself.
RUN awk '/^[a-z]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } wanted' \
        requirements-dev.txt > requirements-build.txt \
    && python -m pip install --only-binary :all: --require-hashes -r requirements-build.txt

COPY pyproject.toml README.md ./
COPY contract contract
COPY ingest ingest
COPY kernels kernels
COPY processors processors
COPY storage storage
COPY dashboards dashboards
COPY thecaflow thecaflow
RUN python -m hatchling build -t wheel -d /build/wheels \
    && python -m pip --python /opt/thecaflow/bin/python install --no-deps --no-index /build/wheels/*.whl

# Compiling the kernels takes 20 s of a core and 5 MB. Done here, it is not done by every worker at every start, and it
# can be: code for a generic processor is as quick as that for this machine's own and gives the same bytes. -P: numba
# knows kernels by their folder, so these must be the installed ones, not the sources in this stage's folder.
ENV NUMBA_CPU_NAME=generic
RUN NUMBA_CACHE_DIR=/opt/thecaflow/kernels /opt/thecaflow/bin/python -P -m thecaflow.demo.warm


FROM python:3.11.14-slim-bookworm
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="thecaflow" \
      org.opencontainers.image.description="Watches intrathecal baclofen pumps: events in, doses, forecasts and alerts out." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN PIP_ROOT_USER_ACTION=ignore python -m pip uninstall --yes --quiet setuptools wheel pip \
    && groupadd --gid 10001 thecaflow \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin thecaflow
COPY --from=build /opt/thecaflow /opt/thecaflow
# numba writes to its cache's folder even to look for what is there: each start copies the compiled kernels to /tmp.
ENV PATH=/opt/thecaflow/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    XDG_CACHE_HOME=/tmp \
    COMPILED_KERNELS=/opt/thecaflow/kernels \
    NUMBA_CACHE_DIR=/tmp/kernels \
    NUMBA_CPU_NAME=generic \
    THECAFLOW_BIND_HOST=0.0.0.0
USER 10001:10001
# Gateway, console, worker: the usual ports; docker-compose.yml sets others.
EXPOSE 8080 8081 8100
# Whether the process lives. The first start of a worker may wait long for its broker, which is no illness.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-m", "thecaflow.healthy"]
ENTRYPOINT ["thecaflow"]
CMD ["--help"]
