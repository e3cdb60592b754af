/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A task in, its record out; and whether it is in a container. */
#pragma once

#include "helpers.h"
#include "record.h"

#define PIDTYPE_TGID 1 /* the group leader's pid */

#define UPID_BYTES 16

INLINE struct upid innermost(struct pid *pid)
{
	struct upid upid = {};
	/* numbers[] has level + 1 elements of the running kernel's size. */
	struct upid *last = (void *)&pid->numbers[0].nr - OFFSET((struct upid *)0, nr) + pid->level * KERNEL_SIZE(struct upid);

	BEGINNING(start, last, UPID_BYTES);
	upid.nr = FIELD(start, last, nr);
	upid.ns = FIELD(start, last, ns);
	return upid;
}

INLINE void fill_tty(struct task_record *record, struct tty_struct *tty)
{
	record->tty_major = record->tty_minor = 0;
	if (!tty)
		return;
	record->tty_major = tty->driver->major;
	record->tty_minor = tty->driver->minor_start + tty->index;
}

INLINE u64 cgroup_of(struct task_struct *task)
{
	struct css_set *cgroups = READ(task, cgroups);
	struct cgroup *cgroup = READ(cgroups, dfl_cgrp);
	struct kernfs_node *node = READ(cgroup, kn);

	return READ(node, id);
}

/*
 * For each pointer that plain C follows from a task, newer verifiers search all of the kernel's types by name, up to four
 * times over (btf_nested_type_is_trusted), in every program: that was 60 % of the processor time of an agent's start on 6.18.
 * What is found on the way through a signal_struct is trusted with nothing, so that it is followed without a search. The thread
 * that signals go to is any one of the process; it knows the leader.
 */
INLINE struct task_struct *leader_of(struct task_struct *task)
{
	return task->signal->curr_target->group_leader;
}

/* A load where the verifier knows the type, else a helper's call, which costs as much as twenty. */
#define TAKE(is_typed, pointer, field) ((is_typed) ? (pointer)->field : READ(pointer, field))

/* kernel_cap_t is one long word or two: what is loaded must not be longer than a member. */
INLINE u64 take_capabilities(struct capabilities *set, bool is_typed)
{
	u64 bits = 0;

	if (is_typed)
		return *(volatile u32 *)set | (u64)*((volatile u32 *)set + 1) << 32;
	bpf_probe_read_kernel(&bits, sizeof(bits), set);
	return bits;
}

/* What each thread has for itself. */
INLINE void fill_thread(struct task_record *record, struct task_struct *task, bool is_typed)
{
	struct cred *cred = TAKE(is_typed, task, cred);
	struct nsproxy *namespaces = TAKE(is_typed, task, nsproxy);
	struct mnt_namespace *mounts = TAKE(is_typed, namespaces, mnt_ns);
	struct css_set *cgroups = TAKE(is_typed, task, cgroups);
	struct cgroup *cgroup = TAKE(is_typed, cgroups, dfl_cgrp);
	struct kernfs_node *node = TAKE(is_typed, cgroup, kn);

	record->cgroup_id = TAKE(is_typed, node, id);
	record->mount_namespace = TAKE(is_typed, mounts, ns.inum);
	record->uid = TAKE(is_typed, cred, uid.val);
	record->gid = TAKE(is_typed, cred, gid.val);
	record->euid = TAKE(is_typed, cred, euid.val);
	record->egid = TAKE(is_typed, cred, egid.val);
	record->capabilities = take_capabilities(&cred->cap_effective, is_typed);
	record->permitted = take_capabilities(&cred->cap_permitted, is_typed);
}

INLINE void fill_task(struct task_record *record, struct task_struct *task)
{
	struct signal_struct *signal = task->signal;
	struct task_struct *leader = leader_of(task);
	struct task_struct *parent = leader->real_parent->group_leader;
	struct upid inner = innermost(signal->pids[PIDTYPE_TGID]), group = innermost(signal->pids[PIDTYPE_PGID]);

	record->start_time_ns = leader->start_boottime;
	record->parent_start_time_ns = parent->start_boottime;
	record->pid = task->tgid;
	record->tid = task->pid;
	record->parent_pid = parent->tgid;
	record->container_pid = inner.nr;
	record->pid_namespace = READ(inner.ns, ns.inum);
	record->login_uid = EXISTS(task, loginuid) ? task->loginuid.val : ~0U;
	record->session_id = signal->pids[PIDTYPE_SID]->numbers[0].nr;
	record->exec_id = task->self_exec_id;
	record->group_id = group.nr;
	record->host_group_id = signal->pids[PIDTYPE_PGID]->numbers[0].nr;
	fill_tty(record, signal->tty);
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), &task->comm);
	if (task->pid == task->tgid)
		fill_thread(record, leader, true);
	else
		fill_thread(record, task, false);
}

INLINE void fill_head(struct head_record *head, u32 kind, struct task_struct *task)
{
	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->time_ns = bpf_ktime_get_boot_ns();
	fill_task(&head->task, task);
}
