/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Namespaces that a process is made in. */
#pragma once

#include "call.h"

#define UNSHARE 26
#define CLONE_NEWNS 0x20000
#define CLONE_NEWCGROUP 0x2000000
#define CLONE_NEWUTS 0x4000000
#define CLONE_NEWIPC 0x8000000
#define CLONE_NEWUSER 0x10000000
#define CLONE_NEWPID 0x20000000
#define CLONE_NEWNET 0x40000000
#define IF_NEW(member, flag) (READ(before, member) != READ(after, member) ? (flag) : 0)

/*
 * A process that is made in namespaces of its own (clone, clone3): told of its maker as the unshare that it stands for, with
 * those flags that made a difference.
 */
SECTION("tp_btf/sched_process_fork")
int on_fork_namespaces(u64 *ctx)
{
	struct task_struct *parent = (void *)ctx[0], *child = (void *)ctx[1];
	struct cred *maker = READ(parent, cred), *made = READ(child, cred);
	struct nsproxy *before = READ(parent, nsproxy), *after = READ(child, nsproxy);
	u64 flags = READ(maker, user_ns) != READ(made, user_ns) ? CLONE_NEWUSER : 0;
	struct scratch *scratch;

	if (before != after)
		flags |= IF_NEW(uts_ns, CLONE_NEWUTS) | IF_NEW(ipc_ns, CLONE_NEWIPC) | IF_NEW(mnt_ns, CLONE_NEWNS) |
				 IF_NEW(pid_ns_for_children, CLONE_NEWPID) | IF_NEW(net_ns, CLONE_NEWNET) |
				 IF_NEW(cgroup_ns, CLONE_NEWCGROUP);
	if (!flags || !is_caller_wanted(parent))
		return 0;
	scratch = begin_call(parent, UNSHARE, 0);
	if (!scratch)
		return 0;
	scratch->call.arguments[0] = flags;
	send_call(scratch);
	return 0;
}
