/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Capabilities that were asked for and granted over the whole machine, not over a user namespace of one's own. Once for
 * each program of a process and capability.
 */
#pragma once

#include "send.h"
#include "task.h"

/* policy: identity.rs; a test compares them. */
#define TOLD_CAPABILITIES 0x1c74a7b3000ULL
#define CAP_SYS_ADMIN 21
/* include/linux/security.h: the kernel only wonders, as at each allocation of memory. */
#define CAP_OPT_NOAUDIT 2

struct capability_key {
	u64 start_time_ns;
	u64 exec_id;
	u64 capability;
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_LRU_HASH);
	MAP_TYPE(key, struct capability_key);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 4096);
} known_capabilities SECTION(".maps");

INLINE int tell_capability(u32 capability, struct user_namespace *over)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct capability_record record = {};
	struct capability_key key = {};
	u8 one = 1;

	if (capability > 63 || !(TOLD_CAPABILITIES >> capability & 1) || READ(over, level))
		return 0;
	if (!is_contained(task) || !is_caller_wanted(task))
		return 0;
	key.start_time_ns = leader_of(task)->start_boottime;
	key.exec_id = task->self_exec_id;
	key.capability = capability;
	if (bpf_map_lookup_elem(&known_capabilities, &key))
		return 0;
	bpf_map_update_elem(&known_capabilities, &key, &one, 0);
	record.capability = capability;
	fill_head(&record.head, KIND_CAPABILITY, task);
	send(&record.head, sizeof(record), LATER);
	return 0;
}

/* Calls that ask for CAP_SYS_ADMIN to do something, not to wonder whether they may do more. */
INLINE bool is_administrating(u64 call)
{
	return call == NR_MOUNT || call == NR_UMOUNT2 || call == NR_PIVOT_ROOT || call == NR_SETNS || call == NR_UNSHARE ||
		(call >= NR_OPEN_TREE && call <= NR_FSMOUNT) || call == NR_BPF || call == NR_SETHOSTNAME;
}

/* Security modules are asked one after the other, this one last: who said yes before has granted it. */
SECTION("lsm/capable")
int on_capable(u64 *ctx)
{
	if (!(ctx[3] & CAP_OPT_NOAUDIT))
		tell_capability(ctx[2], (void *)ctx[1]);
	return 0;
}

SECTION("fexit/security_capable")
int on_capable_granted(u64 *ctx)
{
	if (!(ctx[3] & CAP_OPT_NOAUDIT) && !(s32)ctx[4])
		tell_capability(ctx[2], (void *)ctx[1]);
	return 0;
}

/* Since 6.14. It does not say whether the kernel only wonders. */
SECTION("tp_btf/cap_capable")
int on_capable_asked(u64 *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u32 capability = ctx[3];

	if ((s32)ctx[4])
		return 0;
	if (capability == CAP_SYS_ADMIN && !is_administrating(CALL_NUMBER(bpf_task_pt_regs(task))))
		return 0;
	return tell_capability(capability, (void *)ctx[1]);
}
