# Boots systemd as the first process of new namespaces, over a copy of a machine's files that ends with it.
# Arguments: the machine's root, an empty folder, the name of its control groups.
set -e
root=$1 own=$2 group=$3
mount --make-rprivate /
cgroups=/sys/fs/cgroup
for tree in $cgroups $cgroups/systemd $cgroups/unified; do
	[ -e $tree/cgroup.procs ] || continue
	mkdir $tree/$group
	echo 0 >$tree/$group/cgroup.procs
done
mount -t tmpfs tmpfs "$own"
mkdir "$own/upper" "$own/work" "$own/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$own/upper,workdir=$own/work" "$own/root"
cd "$own/root"
mount -t proc proc proc
mount --bind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
rm -f etc/machine-id
touch etc/machine-id
printf '[Unit]\nDescription=nothing but what the test starts\n' >etc/systemd/system/bare.target
ip link set lo up
exec unshare --cgroup sh -c '
	mount -t sysfs sysfs sys
	if [ -e /sys/fs/cgroup/systemd/cgroup.procs ]; then
		mount -t tmpfs tmpfs sys/fs/cgroup
		mkdir sys/fs/cgroup/unified sys/fs/cgroup/systemd
		mount -t cgroup2 cgroup2 sys/fs/cgroup/unified
		mount -t cgroup -o name=systemd,none cgroup sys/fs/cgroup/systemd
	else
		mount -t cgroup2 cgroup2 sys/fs/cgroup
	fi
	exec env -i container=test PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		chroot . /lib/systemd/systemd --unit=bare.target --log-target=console --show-status=0'
