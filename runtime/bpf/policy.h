/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * What user space has derived from profiles for each process: writes that need not be told because they are expected, and
 * acts that must not be. A process without a policy of its own has its container's. Paths are those that the kernel
 * resolved: the walk from the dentry up, which neither links nor `..` change.
 */
#pragma once

#include "send.h"

/* Set by the loader: somebody fills the maps below. */
const volatile u8 has_policies = 0;
/* Set by the loader: no hook that can refuse exists, so that the process is sent this signal instead; 0: none is. */
const volatile u8 signal_instead = 0;

/* Set by the loader: `told_names` holds any. */
const volatile u8 has_told_names = 0;

#define EDGE_BYTES 28
#define MAX_LEVELS 16
#define EVERYTHING 1 /* a set of all paths */
#define EPERM 1
#define O_TRUNC 01000

/* Sets of paths are automata over components. A name of zeros stands for any name that has no edge of its own. */
struct edge {
	u32 node;
	char name[EDGE_BYTES];
};

struct step {
	u32 node; /* where the next component is looked for; 0: nowhere */
	u32 ends;
};

enum { ENDS_FILE = 1, ENDS_TREE = 2 };

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct edge);
	MAP_TYPE(value, struct step);
	MAP_INT(max_entries, 65536);
	MAP_INT(map_flags, BPF_F_NO_PREALLOC);
} edges SECTION(".maps");

struct process_key {
	u64 start_time_ns;
	u32 pid;
	u32 padding;
};

enum { MODE_OBSERVE = 1, MODE_ALERT = 2, MODE_ENFORCE = 3 };
enum { REFUSE_DRIFT = 1, REFUSE_CONNECTS = 2 };
enum { SCOPE_LOOPBACK = 1, SCOPE_PRIVATE = 2, SCOPE_PUBLIC = 4 };
enum { TRANSPORT_TCP = 1, TRANSPORT_UDP = 2, TRANSPORT_OTHER = 4 };

#define MAX_PEERS 8

struct peer_rule {
	u16 scopes;
	u16 transports; /* 0: no rule */
	u16 first, last;
};

/* runtime/src/enforce/wire.rs; sets are numbers of nodes, 0 is the empty one. */
struct policy {
	u64 exec_id; /* a process: of the program that it is for */
	u32 mount_namespace; /* a container: in which it holds */
	u32 mode;
	u32 flags;
	u32 expected_writes;
	u32 refused_writes, allowed_writes;
	u32 refused_execs, allowed_execs;
	u32 drifting_execs; /* may run although they are not the image's */
	u32 padding;
	struct peer_rule peers[MAX_PEERS];
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct process_key);
	MAP_TYPE(value, struct policy);
	MAP_INT(max_entries, 65536);
	MAP_INT(map_flags, BPF_F_NO_PREALLOC);
} process_policies SECTION(".maps");

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, u64);
	MAP_TYPE(value, struct policy);
	MAP_INT(max_entries, 4096);
	MAP_INT(map_flags, BPF_F_NO_PREALLOC);
} container_policies SECTION(".maps");

/* Names of files whose writing rules ask for wherever they are. */
struct file_name {
	char text[32];
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct file_name);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 256);
} told_names SECTION(".maps");

/* What was not told and what was decided: enforce::Tally. */
enum { TALLY_EXPECTED_WRITES, TALLY_WOULD_REFUSE, TALLY_REFUSED, TALLY_UNINHERITED, TALLY_COUNT };

struct {
	MAP_INT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_INT(max_entries, TALLY_COUNT);
} tallies SECTION(".maps");

INLINE void tally(u32 what)
{
	u64 *counter = bpf_map_lookup_elem(&tallies, &what);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

INLINE struct process_key key_of(struct task_struct *task)
{
	struct process_key key = {};

	key.start_time_ns = leader_of(task)->start_boottime;
	key.pid = task->tgid;
	return key;
}

/* An exec makes a process's policy stale at once: what user space says next is for the new program. */
INLINE struct policy *process_policy(struct task_struct *task, u64 exec_id)
{
	struct process_key key = key_of(task);
	struct policy *policy = bpf_map_lookup_elem(&process_policies, &key);

	return policy && policy->exec_id == exec_id ? policy : NULL;
}

INLINE struct policy *find_policy(struct task_struct *task, u64 exec_id)
{
	struct policy *policy = process_policy(task, exec_id);
	u64 cgroup;

	if (policy)
		return policy;
	cgroup = bpf_get_current_cgroup_id();
	policy = bpf_map_lookup_elem(&container_policies, &cgroup);
	/* The runtime's own processes are in the cgroup before they are in the container. */
	return policy && policy->mount_namespace == task->nsproxy->mnt_ns->ns.inum ? policy : NULL;
}

/* An address as a number: global functions take no pointers of which the verifier knows the type. */
INLINE u64 number_of(const void *pointer)
{
	const void *slot = pointer;
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &slot);
	return number;
}

enum { WALK_WHOLE, WALK_DETACHED, WALK_CUT };

/*
 * The dentries of a path, leaf first, up to the top of the mount namespace. What follows are global functions: the verifier
 * looks at each once, not at each call.
 */
struct walk {
	u64 parts[MAX_LEVELS];
	u32 count;
	u32 below_root; /* how many of them are below the task's root */
	u32 end;
};

__attribute__((noinline)) int walk_up(struct walk *walk, u64 leaf, u64 leaf_mount, u64 root, u64 root_mount)
{
	if (!walk)
		return 0;
	struct path path = {}, end = {};
	struct climb climb;

	path.dentry = (void *)leaf;
	path.mnt = (void *)leaf_mount;
	end.dentry = (void *)root;
	end.mnt = (void *)root_mount;
	begin_climb(&climb, path);
	/* Counts are in the caller's memory, of which the verifier keeps no track: else it looks at each of their values. */
	walk->count = 0;
	walk->below_root = ~0U;
	walk->end = WALK_CUT;
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *parent;
		u32 count;

		IN_MEMORY(climb);
		if (is_at(&climb, end))
			walk->below_root = *(volatile u32 *)&walk->count;
		if (climb.dentry == climb.top) {
			if (leave_mount(&climb))
				continue;
			walk->end = WALK_WHOLE;
			break;
		}
		parent = READ(climb.dentry, d_parent);
		if (parent == climb.dentry) {
			walk->end = WALK_DETACHED;
			break;
		}
		count = *(volatile u32 *)&walk->count;
		if (count >= MAX_LEVELS)
			break;
		walk->parts[count & (MAX_LEVELS - 1)] = (u64)climb.dentry;
		*(volatile u32 *)&walk->count = count + 1;
		climb.dentry = parent;
	}
	return 0;
}

INLINE void walk_path(struct walk *walk, struct path path, struct path root)
{
	walk_up(walk, (u64)path.dentry, (u64)path.mnt, (u64)root.dentry, (u64)root.mnt);
}

/* Whether the upper `count` components of a walk are a path of the set. */
__attribute__((noinline)) int is_in_set(struct walk *walk, u32 count, u32 set)
{
	struct edge edge;
	u32 node = set;

	if (!walk || set <= EVERYTHING)
		return set;
	for (u32 i = 0; i < MAX_LEVELS; i++) {
		if (i >= count)
			return false;
		struct dentry *dentry = (void *)walk->parts[(count - 1 - i) & (MAX_LEVELS - 1)];
		struct step *step;

		__builtin_memset(&edge, 0, sizeof(edge));
		edge.node = node;
		bpf_probe_read_kernel_str(edge.name, EDGE_BYTES, READ(dentry, d_name.name));
		step = bpf_map_lookup_elem(&edges, &edge);
		if (!step) {
			__builtin_memset(edge.name, 0, EDGE_BYTES);
			step = bpf_map_lookup_elem(&edges, &edge);
		}
		if (!step)
			return false;
		if (step->ends & ENDS_TREE)
			return true;
		if (i + 1 == count)
			return step->ends & ENDS_FILE;
		node = step->node;
		if (!node)
			return false;
	}
	return false;
}

/* A changed root must not make a forbidden path look like another one, so that both views count. */
__attribute__((noinline)) int is_refused(struct walk *walk, u32 refused, u32 allowed)
{
	if (!walk || !refused)
		return false;
	if (walk->end == WALK_CUT)
		return false; /* deeper than any set says something of */
	if (walk->end == WALK_DETACHED)
		return refused == EVERYTHING;
	if (walk->below_root <= MAX_LEVELS && walk->below_root != walk->count) {
		if (is_in_set(walk, walk->below_root, refused) && !is_in_set(walk, walk->below_root, allowed))
			return true;
	}
	return is_in_set(walk, walk->count, refused) && !is_in_set(walk, walk->count, allowed);
}

INLINE u32 verdict_of(struct policy *policy)
{
	if (policy->mode == MODE_ENFORCE)
		return VERDICT_REFUSED;
	return policy->mode == MODE_ALERT ? VERDICT_WOULD_REFUSE : VERDICT_NONE;
}

/* What becomes of an act that the policy refuses; counted. */
INLINE u32 conclude(struct policy *policy)
{
	tally(policy->mode == MODE_ENFORCE ? TALLY_REFUSED : TALLY_WOULD_REFUSE);
	return verdict_of(policy);
}

/* Whether rules ask for some component of a path wherever it is. */
__attribute__((noinline)) int has_told_name(struct walk *walk)
{
	struct file_name name;

	if (!walk)
		return true;
	for (u32 i = 0; i < MAX_LEVELS; i++) {
		if (i >= walk->count)
			break;
		struct dentry *dentry = (void *)walk->parts[i];

		__builtin_memset(&name, 0, sizeof(name));
		bpf_probe_read_kernel_str(name.text, sizeof(name.text), READ(dentry, d_name.name));
		if (bpf_map_lookup_elem(&told_names, &name))
			return true;
	}
	return false;
}

/* Whether a write to a file is expected of this process and asked for by no rule: then it is not told. */
__attribute__((noinline)) int is_expected_write(u64 leaf, u64 mount)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct policy *policy = process_policy(task, task->self_exec_id);
	struct fs_struct *fs = task->fs;
	struct path path = {};
	struct walk walk = {};

	if (!policy || !policy->expected_writes)
		return false;
	path.dentry = (void *)leaf;
	path.mnt = (void *)mount;
	walk_path(&walk, path, read_path(&fs->root));
	if (walk.end != WALK_WHOLE || walk.below_root != walk.count || !walk.count)
		return false;
	if (!is_in_set(&walk, walk.count, policy->expected_writes))
		return false;
	if (has_told_names && has_told_name(&walk))
		return false;
	tally(TALLY_EXPECTED_WRITES);
	return true;
}

INLINE bool is_refused_write(struct policy *policy, struct path path, struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	struct walk walk = {};

	if (!policy || !policy->mode || !policy->refused_writes)
		return false;
	walk_path(&walk, path, read_path(&fs->root));
	/* What no file system holds is nobody's file. */
	return walk.end != WALK_DETACHED && is_refused(&walk, policy->refused_writes, policy->allowed_writes);
}

INLINE bool is_refused_exec(struct policy *policy, struct file *file, struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	struct path path = read_path(&file->f_path);
	struct walk walk = {};

	if (!policy || !policy->mode || (!(policy->flags & REFUSE_DRIFT) && !policy->refused_execs))
		return false;
	walk_path(&walk, path, read_path(&fs->root));
	if (policy->flags & REFUSE_DRIFT) {
		struct file_record record = {};

		fill_file(&record, file, path.dentry);
		if ((record.is_upper_layer || record.is_deleted) && is_refused(&walk, EVERYTHING, policy->drifting_execs))
			return true;
	}
	return is_refused(&walk, policy->refused_execs, policy->allowed_execs);
}

INLINE u32 scope_of_ip4(u32 network_order)
{
	u32 ip = __builtin_bswap32(network_order);

	if (!ip || ip >> 24 == 127)
		return SCOPE_LOOPBACK;
	if (ip >> 24 == 10 || ip >> 20 == 0xac1 || ip >> 16 == 0xc0a8 || ip >> 16 == 0xa9fe || ip >> 22 == 0x191)
		return SCOPE_PRIVATE;
	return SCOPE_PUBLIC;
}

/* policy::scope_of */
INLINE u32 scope_of(struct address_record *record)
{
	u32 *words = (u32 *)record->ip;
	u32 first;

	if (record->family == AF_INET)
		return scope_of_ip4(words[0]);
	if (!words[0] && !words[1]) {
		if (words[2] == 0xffff0000)
			return scope_of_ip4(words[3]);
		if (!words[2] && (!words[3] || words[3] == 0x01000000))
			return SCOPE_LOOPBACK;
	}
	first = __builtin_bswap32(words[0]) >> 16;
	return (first & 0xfe00) == 0xfc00 || (first & 0xffc0) == 0xfe80 ? SCOPE_PRIVATE : SCOPE_PUBLIC;
}

/* As policy::judge does: nothing is sent to port 0, nor by a resolver that tries a datagram socket on this host. */
INLINE bool is_refused_peer(struct policy *policy, struct address_record *record)
{
	u32 scope = scope_of(record), transport = TRANSPORT_OTHER;

	if (!policy || !policy->mode || !(policy->flags & REFUSE_CONNECTS) || !record->port)
		return false;
	if (record->protocol == 6)
		transport = TRANSPORT_TCP;
	if (record->protocol == 17)
		transport = TRANSPORT_UDP;
	if (transport == TRANSPORT_UDP && scope == SCOPE_LOOPBACK)
		return false;
	for (u32 i = 0; i < MAX_PEERS; i++) {
		struct peer_rule *rule = &policy->peers[i];

		if (rule->scopes & scope && rule->transports & transport && record->port >= rule->first &&
		    record->port <= rule->last)
			return false;
	}
	return true;
}
