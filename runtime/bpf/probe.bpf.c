/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Programs that do nothing: whether they can be loaded and attached says what this kernel and our rights allow. */

#include "helpers.h"

/* A kernel without `bpf` among its active security modules attaches such a program and never calls it. */
u64 lsm_calls = 0;

/* What our programs at opens and calls cannot do without (since 5.15): a kernel that lacks it must say so here. */
#define NEED_REGISTERS() (void)bpf_task_pt_regs(bpf_get_current_task_btf())

SECTION("lsm/file_open")
int probe_lsm(u64 *ctx)
{
	NEED_REGISTERS();
	__sync_fetch_and_add(&lsm_calls, 1);
	return 0;
}

SECTION("fexit/do_filp_open")
int probe_fexit(u64 *ctx)
{
	NEED_REGISTERS();
	return 0;
}

SECTION("tp_btf/cgroup_mkdir")
int probe_btf_tracepoint(u64 *ctx)
{
	return 0;
}

SECTION("cgroup/post_bind4")
int probe_cgroup(struct bpf_sock *ctx)
{
	return 1;
}

SECTION("tracepoint/syscalls/sys_exit_creat")
int probe_tracepoint(struct syscall_exit *ctx)
{
	NEED_REGISTERS();
	return 0;
}

char gpl_compatible[] SECTION("license") = "Dual MIT/GPL";
