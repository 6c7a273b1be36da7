# docker build -t tinglan . && docker run -d --name tinglan -v /srv/tinglan:/srv/tinglan tinglan
FROM python:3.11-slim AS build
WORKDIR /opt/tinglan
COPY requirements.lock pyproject.toml README.md LICENSE tinglan.py scheduler.py ./
COPY config config
COPY store store
COPY crawler crawler
COPY analysis analysis
COPY alerts alerts
COPY console console
COPY service service
COPY demo demo
COPY benchmarks benchmarks
RUN python -m venv .venv \
 && .venv/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
 && .venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /srv/tinglan --create-home tinglan
COPY --from=build /opt/tinglan/.venv /opt/tinglan/.venv
USER tinglan
WORKDIR /srv/tinglan
VOLUME /srv/tinglan
ENV TINGLAN_CONFIG=/srv/tinglan/tinglan.toml PYTHONUNBUFFERED=1
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s \
  CMD ["/opt/tinglan/.venv/bin/tinglan", "status", "--alive"]
ENTRYPOINT ["/opt/tinglan/.venv/bin/tinglan"]
CMD ["run"]
