#!/bin/bash
# The same as a job array: tasks that need not run at the same time, on whatever is free.
#SBATCH --job-name=jaxvis-maps
#SBATCH --array=0-15
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --requeue
set -euo pipefail

images=${1:?wanted a folder of images that all nodes see}
group=${2:?wanted where to write, which all nodes see, such as maps.zarr}

# Task 0 makes the group; the others wait for it, ten minutes at most.
jaxvis maps "$images" --out "$group" --network imagenet --class top5 \
    --dtype float16 --precision default --skip-broken --json \
    --process "$SLURM_ARRAY_TASK_ID" --processes "$SLURM_ARRAY_TASK_COUNT"
