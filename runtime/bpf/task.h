/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* A task in, its record out; and whether it is in a container. */
#pragma once

#include "helpers.h"
#include "record.h"

INLINE struct upid innermost(struct pid *pid, u32 level)
{
	struct upid upid = {};

	/* numbers[] has level + 1 elements; upid's size differs by kernel only in padding, so it is asked for. */
	bpf_probe_read_kernel(&upid.nr, sizeof(upid.nr), (void *)&pid->numbers[0].nr + level * KERNEL_SIZE(struct upid));
	bpf_probe_read_kernel(&upid.ns, sizeof(upid.ns), (void *)&pid->numbers[0].ns + level * KERNEL_SIZE(struct upid));
	return upid;
}

INLINE void fill_tty(struct task_record *record, struct signal_struct *signal)
{
	struct tty_struct *tty = READ(signal, tty);

	record->tty_major = record->tty_minor = 0;
	if (!tty)
		return;
	struct tty_driver *driver = READ(tty, driver);

	record->tty_major = READ(driver, major);
	record->tty_minor = READ(driver, minor_start) + READ(tty, index);
}

INLINE void fill_task(struct task_record *record, struct task_struct *task)
{
	struct task_struct *leader = READ(task, group_leader);
	struct task_struct *parent = READ(READ(leader, real_parent), group_leader);
	struct signal_struct *signal = READ(task, signal);
	struct pid *pid = READ(leader, thread_pid);
	struct upid inner = innermost(pid, READ(pid, level));
	struct cred *cred = READ(task, cred);
	struct nsproxy *proxy = READ(task, nsproxy);

	record->start_time_ns = READ(leader, start_boottime);
	record->parent_start_time_ns = READ(parent, start_boottime);
	record->cgroup_id = READ(READ(READ(READ(task, cgroups), dfl_cgrp), kn), id);
	record->pid = READ(task, tgid);
	record->tid = READ(task, pid);
	record->parent_pid = READ(parent, tgid);
	record->container_pid = inner.nr;
	record->pid_namespace = READ(inner.ns, ns.inum);
	record->mount_namespace = proxy ? READ(READ(proxy, mnt_ns), ns.inum) : 0;
	record->uid = READ(cred, uid.val);
	record->gid = READ(cred, gid.val);
	record->euid = READ(cred, euid.val);
	record->egid = READ(cred, egid.val);
	record->login_uid = EXISTS(task, loginuid) ? READ(task, loginuid.val) : ~0U;
	record->session_id = READ(READ(signal, pids[PIDTYPE_SID]), numbers[0].nr);
	fill_tty(record, signal);
	bpf_probe_read_kernel(record->comm, sizeof(record->comm), &task->comm);
}

INLINE void fill_head(struct head_record *head, u32 kind, struct task_struct *task)
{
	head->kind = kind;
	head->cpu = bpf_get_smp_processor_id();
	head->time_ns = bpf_ktime_get_boot_ns();
	fill_task(&head->task, task);
}
