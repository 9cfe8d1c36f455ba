#!/bin/bash
# All hosts of a TPU pod slice: tpu_pod.sh NAME ZONE IMAGES GROUP
# IMAGES is a path that every host sees (a mounted bucket), GROUP a bucket: gs://.../maps.zarr
set -euo pipefail

name=${1:?wanted the name of the TPU}
zone=${2:?wanted its zone}
images=${3:?wanted a folder of images that all hosts see}
group=${4:?wanted where to write}

everywhere() {
    gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=all --command "$1"
}
everywhere "python3 -m pip install 'jaxvis[many,tpu]'"
# JAX finds the other hosts by the slice's own metadata.
everywhere "jaxvis maps '$images' --out '$group' --network imagenet --class top5 \
    --dtype float16 --precision default --skip-broken --distributed --json"
