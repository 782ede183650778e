#!/usr/bin/env bash
# Makes the composition's secrets, a file each, of 32 random bytes: in ./secrets or in $THECAFLOW_SECRETS. What is there stays.
#   dev/compose/secrets.sh          prints what it made
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${THECAFLOW_SECRETS:-secrets}

# Only its owner can enter the folder. The files can be read by all who get that far: the users inside the containers,
# to whom the engine, which is root, shows them one by one.
mkdir -p "$folder"
chmod 700 "$folder"
for name in database_password console_key grafana_admin_password grafana_database_password; do
  file=$folder/$name
  [ ! -s "$file" ] || continue
  head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$file.new"
  chmod 444 "$file.new"
  mv "$file.new" "$file"
  echo "made $file"
done
