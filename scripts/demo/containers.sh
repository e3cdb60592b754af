# Sourced: makes podman, buildah and skopeo work below one folder, on machines with and without CAP_SYS_RESOURCE, with
# hybrid or unified cgroups. Nothing outside that folder is touched.

# use_containers OUT: storage and configuration below OUT.
use_containers() {
  local out=$1 driver=overlay
  # overlay on overlay (a build machine that is itself a container) does not mount.
  if [ "$(stat -f -c %T "$out")" = overlayfs ]; then
    driver=vfs
  fi
  mkdir -p "$out/storage" "$out/run"
  cat >"$out/containers.conf" <<CONF
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
[network]
network_backend = "netavark"
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:2048"]
netns = "none"
CONF
  cat >"$out/storage.conf" <<CONF
[storage]
driver = "$driver"
graphroot = "$out/storage"
runroot = "$out/run"
CONF
  export CONTAINERS_CONF=$out/containers.conf CONTAINERS_STORAGE_CONF=$out/storage.conf
  storage_driver=$driver storage_root=$out/storage storage_run=$out/run
}

# stored NAME: skopeo's name of an image in that storage.
stored() {
  printf 'containers-storage:[%s@%s+%s]localhost/plimsoll-demo/%s:latest' "$storage_driver" "$storage_root" "$storage_run" "$1"
}
