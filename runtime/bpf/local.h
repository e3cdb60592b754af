/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Connections to local sockets, by the name that the server bound: it needs no memory of the caller, and a container's
 * mounts do not change it. A program that is connected where its like in the same container was is told once.
 */
#pragma once

#include "call.h"
#include "send.h"
#include "task.h"

struct local_key {
	u64 device, inode; /* of the socket's file */
	u64 address;       /* of an abstract one: where the kernel keeps its name */
	u64 who;           /* the executable's inode */
	u64 where;         /* the cgroup */
};

/* A table that forgets the oldest: then something is told twice. */
struct {
	MAP_INT(type, BPF_MAP_TYPE_LRU_HASH);
	MAP_TYPE(key, struct local_key);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 4096);
} known_locals SECTION(".maps");

INLINE bool is_new_local(struct unix_sock *peer, struct unix_address *address, struct task_struct *task)
{
	struct path path = read_path(&peer->path);
	struct local_key key = {};
	u8 one = 1;

	if (path.dentry) {
		struct inode *inode = READ(path.dentry, d_inode);
		struct super_block *super = READ(inode, i_sb);

		key.device = READ(super, s_dev);
		key.inode = READ(inode, i_ino);
	} else {
		key.address = (u64)address;
	}
	struct mm_struct *mm = task->mm;
	struct file *exe = READ(mm, exe_file);
	struct inode *program = READ(exe, f_inode);

	key.who = READ(program, i_ino);
	key.where = bpf_get_current_cgroup_id();
	if (bpf_map_lookup_elem(&known_locals, &key))
		return false;
	bpf_map_update_elem(&known_locals, &key, &one, 0);
	return true;
}

/* Whoever was connected to, or is about to be. */
INLINE void tell_local(struct sock *sock)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct unix_sock *peer = (void *)sock;
	struct local_record record = {};
	struct unix_address *address;
	u64 length; /* 64 bits wide, so that the verifier sees its bound */

	if (!is_contained(task) || !is_caller_wanted(task))
		return;
	address = READ(peer, addr);
	length = READ(address, len);
	/* Behind the family; none has no name (socketpair). */
	if (!address || length <= sizeof(u16) || !is_new_local(peer, address, task))
		return;
	length -= sizeof(u16);
	if (length > UNIX_NAME_BYTES)
		length = UNIX_NAME_BYTES;
	HIDE(length);
	length &= sizeof(record.name) - 1;
	bpf_probe_read_kernel(record.name, length, (void *)address->name + sizeof(u16));
	record.length = length;
	fill_head(&record.head, KIND_LOCAL, task);
	send(&record.head, sizeof(record), LATER);
}

SECTION("lsm/unix_stream_connect")
int on_local_asked(u64 *ctx)
{
	tell_local((void *)ctx[1]);
	return 0;
}

SECTION("fexit/security_unix_stream_connect")
int on_local_allowed(u64 *ctx)
{
	if (!(s32)ctx[3])
		tell_local((void *)ctx[1]);
	return 0;
}

SECTION("tracepoint/syscalls/sys_exit_connect")
int on_local_connected(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct file *file;
	struct inode *inode;
	struct socket *socket;
	struct sock *sock;

	if (ctx->result)
		return 0;
	file = file_of(task, (s32)ARGUMENT0(regs));
	inode = READ(file, f_inode);
	socket = READ(file, private_data);
	if (!file || (READ(inode, i_mode) & S_IFMT) != S_IFSOCK || !socket)
		return 0;
	sock = READ(socket, sk);
	if (READ(sock, __sk_common.skc_family) != AF_UNIX)
		return 0;
	struct unix_sock *ours = (void *)sock;

	/* What the server accepts has the name of the socket that it listens on. */
	tell_local(READ(ours, peer));
	return 0;
}
