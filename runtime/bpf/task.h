/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A task in, its record out; and whether it is in a container. */
#pragma once

#include "helpers.h"
#include "record.h"

#define PIDTYPE_TGID 1 /* the group leader's pid */

INLINE struct upid innermost(struct pid *pid)
{
	struct upid upid = {};
	/* numbers[] has level + 1 elements of the running kernel's size. */
	u64 at = pid->level * KERNEL_SIZE(struct upid);

	bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr), (void *)&pid->numbers[0].nr + at);
	bpf_probe_read_kernel(&upid.ns, sizeof(upid.ns), (void *)&pid->numbers[0].ns + at);
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
 * So most are read. What a signal_struct points to costs nothing more.
 */
INLINE void fill_task(struct task_record *record, struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct task_struct *parent = READ(leader, real_parent);
	struct task_struct *parent_leader = READ(parent, group_leader);
	struct signal_struct *signal = task->signal;
	struct upid inner = innermost(signal->pids[PIDTYPE_TGID]), group = innermost(signal->pids[PIDTYPE_PGID]);
	struct cred *cred = READ(task, cred);
	struct nsproxy *namespaces = READ(task, nsproxy);
	struct mnt_namespace *mounts = READ(namespaces, mnt_ns);

	record->start_time_ns = READ(leader, start_boottime);
	record->parent_start_time_ns = READ(parent_leader, start_boottime);
	record->cgroup_id = cgroup_of(task);
	record->pid = task->tgid;
	record->tid = task->pid;
	record->parent_pid = READ(parent, tgid);
	record->container_pid = inner.nr;
	record->pid_namespace = READ(inner.ns, ns.inum);
	record->mount_namespace = READ(mounts, ns.inum);
	record->uid = READ(cred, uid.val);
	record->gid = READ(cred, gid.val);
	record->euid = READ(cred, euid.val);
	record->egid = READ(cred, egid.val);
	record->login_uid = EXISTS(task, loginuid) ? task->loginuid.val : ~0U;
	record->session_id = signal->pids[PIDTYPE_SID]->numbers[0].nr;
	bpf_probe_read_kernel(&record->capabilities, sizeof(record->capabilities), &cred->cap_effective);
	bpf_probe_read_kernel(&record->permitted, sizeof(record->permitted), &cred->cap_permitted);
	record->exec_id = task->self_exec_id;
	record->group_id = group.nr;
	record->host_group_id = signal->pids[PIDTYPE_PGID]->numbers[0].nr;
	fill_tty(record, signal->tty);
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), &task->comm);
}

INLINE void fill_head(struct head_record *head, u32 kind, struct task_struct *task)
{
	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->time_ns = bpf_ktime_get_boot_ns();
	fill_task(&head->task, task);
}
