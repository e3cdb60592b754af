/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* The ring buffer, who is woken when, loss, and who is in a container. */
#pragma once

#include "helpers.h"
#include "record.h"
#include "task.h"

/* Set by the loader. */
const volatile u8 containers_only = 1;

#define WAKE_BYTES 65536

/* When a record should be read: with the reader's timer, soon, at once. */
enum urgency { LATER = 0, SOON = 1, NOW = 2 };

#define SOON_GAP_NS 10000000 /* the reader's timer: limits::POLL */
#define NOW_GAP_NS 1000000

struct {
	MAP_INT(type, BPF_MAP_TYPE_RINGBUF);
	MAP_INT(max_entries, 4194304); /* the loader sets the real size */
} events SECTION(".maps");

struct {
	MAP_INT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_INT(max_entries, KIND_COUNT);
} lost SECTION(".maps");

/* Cgroups in other namespaces that are not containers (services with private mounts). */
struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, u64);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 4096);
} ignored_cgroups SECTION(".maps");

u64 host_mounts = 0;
u64 last_urgent_ns = 0;

INLINE void count_lost(u32 kind)
{
	u64 *counter = bpf_map_lookup_elem(&lost, &kind);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

/*
 * Waking the reader costs more than the event. It is woken when the queue grows past a multiple of WAKE_BYTES; its own
 * timer does the rest. An urgent record wakes it at once, unless one did a moment ago: programs that are started one after the
 * other would have it run for each of them, which costs them more than all that is done here.
 */
INLINE void send(struct head_record *record, u64 length, enum urgency urgency)
{
	u64 queued = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA);
	u64 flags = BPF_RB_NO_WAKEUP;

	if (queued / WAKE_BYTES != (queued + length + 8) / WAKE_BYTES)
		flags = BPF_RB_FORCE_WAKEUP;
	if (urgency && record->time_ns - last_urgent_ns > (urgency == NOW ? NOW_GAP_NS : SOON_GAP_NS)) {
		last_urgent_ns = record->time_ns;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	if (bpf_ringbuf_output(&events, record, length, flags))
		count_lost(record->kind);
}

/*
 * A container has its own pid namespace or its own mount namespace. The host's are those of the first process: it is
 * the child reaper of the outermost pid namespace.
 */
INLINE bool is_contained(struct task_struct *task)
{
	struct pid *pid = task->thread_pid;

	if (pid->level)
		return true;
	if (!host_mounts)
		host_mounts = (u64)pid->numbers[0].ns->child_reaper->nsproxy->mnt_ns;

	u64 mounts = (u64)task->nsproxy->mnt_ns;

	return mounts && mounts != host_mounts;
}

INLINE bool is_heeded(u64 cgroup)
{
	return !bpf_map_lookup_elem(&ignored_cgroups, &cgroup);
}

INLINE bool is_wanted(struct task_struct *task)
{
	return !containers_only || (is_contained(task) && is_heeded(cgroup_of(task)));
}

/* The same of the current task, which is cheaper; in two halves, of which the first costs next to nothing. */
INLINE bool is_possibly_wanted(struct task_struct *task)
{
	return !containers_only || is_contained(task);
}

INLINE bool is_caller_heeded(void)
{
	return !containers_only || is_heeded(bpf_get_current_cgroup_id());
}

INLINE bool is_caller_wanted(struct task_struct *task)
{
	return is_possibly_wanted(task) && is_caller_heeded();
}
