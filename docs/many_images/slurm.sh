#!/bin/bash
# Maps of a folder of images on the GPUs of several nodes: sbatch slurm.sh IMAGES GROUP
#SBATCH --job-name=jaxvis-maps
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --time=02:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail

images=${1:?wanted a folder of images that all nodes see}
group=${2:?wanted where to write, which all nodes see, such as maps.zarr}

# One process a node, which uses all of its GPUs. A job that is requeued goes on where it was.
srun jaxvis maps "$images" --out "$group" --network imagenet --class top5 \
    --dtype float16 --precision default --skip-broken --distributed --json
