#!/bin/bash
# Builds local images of the newest engines from Debian sid's packages, for machines where no container registry is in reach.
# Needs root, mmdebstrap and a Docker engine. An image that exists already is left as it is.
set -euo pipefail

build() {
  local image=$1 packages=$2
  if docker image inspect "$image" >/dev/null 2>&1; then
    echo "$image exists"
    return
  fi
  echo "building $image from $packages"
  # The mirror may be a snapshot whose lists have run out.
  mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' --include="$packages" sid - |
    docker import - "$image" >/dev/null
}

build doordarshan-test/mysql:9.7 mysql-server-core,mysql-client-core
build doordarshan-test/redis:8 redis-server
