
# From here on the script is the same for every study; nothing of a study is pasted into it.
study=$results/$name-$SLURM_JOB_ID
work=$results/.slurm-$SLURM_JOB_ID
scratch=/tmp/automl-ray-$(id -u)-$SLURM_JOB_ID
mkdir -p "$work"

mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
cpus=${SLURM_CPUS_ON_NODE:-1}
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$work/token
export RAY_USAGE_STATS_ENABLED=0 RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO=0 OMP_NUM_THREADS=1
if [ "${#hosts[@]}" -eq 1 ]; then
  head_ip=127.0.0.1
  export RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER=0  # despite its name: Ray listens on 127.0.0.1 only
else
  # The first host is the one that this script runs on; some sites know its name by a loopback address only.
  head_ip=$(getent ahostsv4 "${hosts[0]}" | awk '$1 !~ /^127\./ && !found++ { print $1 }' || true)
  [ -n "$head_ip" ] || head_ip=$(hostname -I | awk '{ print $1 }')
fi

say() { printf '%s  %s\n' "$(date '+%F %T')" "$*"; }
listens() { (exec 3<> "/dev/tcp/$head_ip/$1") 2> /dev/null; }

free_port() {
  local port
  for _ in $(seq 100); do
    port=$((20000 + RANDOM % 12000))
    if ! listens "$port"; then echo "$port"; return; fi
  done
  return 1
}

# One step on one node of the allocation, beside the other steps, inside the container where there is one.
on_node() {
  local host=$1
  shift
  srun --overlap --nodes=1 --ntasks=1 --nodelist="$host" --cpus-per-task="$cpus" --mem=0 --chdir="${folder:-$PWD}" \
    "${step_options[@]}" "${inside[@]}" "$@"
}

ray_start() {
  local host=$1
  shift
  # Not where the user stands: Ray would import a random.py or types.py of that folder.
  folder=$work on_node "$host" "${ray[@]}" start --block --disable-usage-stats --num-cpus="$cpus" --num-gpus="$gpus" \
    --min-worker-port=0 --max-worker-port=0 --dashboard-agent-listen-port=0 --object-store-memory=200000000 "$@" \
    > "$work/ray-$host.log" 2>&1 &
  steps+=("$!")
}

steps=()
driver=
requeue=no

finish() {
  trap - EXIT
  kill "${steps[@]}" 2> /dev/null || true
  wait "${steps[@]}" 2> /dev/null || true
  rm -rf "$scratch" "$work/token"
  if [ "${#hosts[@]}" -gt 1 ]; then
    srun --overlap --ntasks-per-node=1 --cpus-per-task=1 rm -rf "$scratch" 2> /dev/null || true
  fi
}
stop() { [ -z "$driver" ] || kill -TERM "$driver" 2> /dev/null || true; }
trap finish EXIT
again() {
  say "requeue"
  finish
  scontrol requeue "$SLURM_JOB_ID"
  sleep 60  # Slurm ends this script
  exit 1
}
trap 'say "the time is nearly up: stopping, then requeue"; requeue=yes; stop' USR1
trap 'say "asked to end: stopping"; stop; [ -n "$driver" ] || exit 143' TERM

od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$work/token"
port=$(free_port)
say "Ray on ${#hosts[@]} node(s), head ${hosts[0]} at $head_ip:$port"
ray_start "${hosts[0]}" --head --node-ip-address="$head_ip" --port="$port" --include-dashboard=false \
  --temp-dir="$scratch"
for _ in $(seq 120); do
  if listens "$port"; then break; fi
  kill -0 "${steps[0]}" 2> /dev/null || break
  sleep 1
done
if ! listens "$port"; then
  say "Ray's head does not start:"
  tail -n 20 "$work/ray-${hosts[0]}.log"
  exit 4
fi
for host in "${hosts[@]:1}"; do
  ray_start "$host" --address="$head_ip:$port"
done
on_node "${hosts[0]}" "${automl[@]}" cluster wait --ray-address "$head_ip:$port" --nodes "${#hosts[@]}"
[ "$requeue" = no ] || again

if [ -f "$study/plan.json" ]; then
  say "going on with $study (start ${SLURM_RESTART_COUNT:-0})"
  command=(resume "$study" --ray-address "$head_ip:$port")
else
  say "starting $study"
  command=(run "${run[@]}" --study-dir "$study" --ray-address "$head_ip:$port" --yes)
fi
if [ "${#inside[@]}" -eq 0 ] && [ "${#step_options[@]}" -eq 0 ]; then
  tool=("${automl[@]}")
else
  tool=(on_node "${hosts[0]}" "${automl[@]}")
fi
"${tool[@]}" "${command[@]}" &
driver=$!
# A signal ends `wait` early; the driver's own status is that of the last one.
while kill -0 "$driver" 2> /dev/null; do wait "$driver" || true; done
status=0
wait "$driver" || status=$?

if [ "${command[0]}" = resume ] && { [ "$status" -eq 0 ] || [ "$status" -eq 3 ]; }; then
  # What was left is done, or nothing was left; the study itself may have failed.
  status=0
  "${tool[@]}" cluster outcome "$study" || status=$?
elif [ "$status" -ne 0 ] && [ "$requeue" = yes ]; then
  again
fi
say "automl ended with status $status: $study"
[ "$status" -ne 0 ] || rm -rf "$work"  # the logs of Ray are of interest where something failed
exit "$status"
