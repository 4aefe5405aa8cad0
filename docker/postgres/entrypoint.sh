#!/bin/bash
# PostgreSQL takes no key that others may read, and Compose hands secrets on with the rights that their files have.
set -euo pipefail

install --owner postgres --mode 0600 /run/secrets/postgres_key /run/postgresql/server.key
exec docker-entrypoint.sh "$@"
