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

end() {
    status=$?
    [ $status -eq 0 ] || docker compose logs --tail 40
    docker compose --profile tools --profile offline down --volumes --remove-orphans --timeout 30
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
docker compose ps
