#!/bin/sh
# Build the image, start everything in containers, run a scene on two workers, remove all of it.
# Needs Docker with compose ≥ 2.24; run by `make containers`. Its containers and volumes carry a
# project name of their own, so a stack that is already here is left alone.
set -eu
cd "$(dirname "$0")/../.."
export COMPOSE_PROJECT_NAME=mela-smoke
made=
if [ ! -f .env ]; then
    sh stack/env.sh
    made=.env
fi
# Other ports than the usual ones, which a stack that is already here may hold.
export MELA_PORT_POSTGRES=15432 MELA_PORT_KAFKA=19094 MELA_PORT_MLFLOW=15000 MELA_PORT_AIRFLOW=18080
export MELA_PORT_PROMETHEUS=19090 MELA_PORT_GRAFANA=13000

end() {
    status=$?
    [ $status -eq 0 ] || docker compose logs --tail 40
    docker compose --profile tools --profile offline --profile monitoring \
        down --volumes --remove-orphans --timeout 30
    [ -z "$made" ] || rm -f "$made"
    exit $status
}
trap end EXIT

docker compose build
export MELA_REPLAY_URL=http://replay:8765
docker compose --profile offline up --detach --wait --wait-timeout 900 --scale spark-worker=2
docker compose run --rm --no-deps \
    mela ingest binance:BTCUSDT --interval 1h --from 2022-12-01 --to 2024-01-01
docker compose run --rm --no-deps --volume ./docs/scenes:/scenes:ro \
    mela publish /scenes/first.yaml --follow
# Prometheus reads the monitor, and its rules; Grafana has the dashboard.
docker compose --profile monitoring up --detach --wait --wait-timeout 300 prometheus grafana
docker compose exec -T prometheus promtool check rules /etc/prometheus/alerts.yml
docker compose exec -T prometheus promtool query instant http://127.0.0.1:9090 'up{job="mela"}'
docker compose exec -T grafana wget -q -O - http://127.0.0.1:3000/api/dashboards/uid/mela >/dev/null
docker compose ps
