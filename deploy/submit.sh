#!/bin/sh
# Submit a study to a Ray cluster from any machine: deploy/submit.sh http://HEAD:8265 STUDY.yaml STORE [more options]
# STORE is a folder that every node mounts at the same path, or a URL that every node reaches. The folder you are in
# goes along (what .gitignore names stays), and with it the study file and your plug-ins. `ray` here needs ray[default]
# (the extra `cluster`), and so do the cluster's nodes.
set -eu
dashboard=$1 study=$2 store=$3
shift 3
case $store in
*://*) ;; # the report stays on the head, unless --reports says where else
*) set -- --reports "$store/reports" "$@" ;;
esac
exec ray job submit --address "$dashboard" --working-dir . -- \
    app-study launch "$study" --store "$store" "$@"
