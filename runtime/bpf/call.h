/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * System calls that a rule asks for by name, at their return: arguments come from the caller's saved registers, texts from
 * its memory, descriptors from its table. Each has a program for a trampoline at the call's function; all share one for their
 * tracepoints.
 */
#pragma once

#include "numbers.h"
#include "path.h"
#include "send.h"
#include "task.h"

/* Which arguments are texts (bits 0–4), and what to look at for the object. */
#define TEXT(argument) (1 << (argument))
#define FOLDER_AT(argument) ((argument) + 1) << 8
#define FOLDER_CWD (1 << 12)
#define OBJECT_AT(argument) ((argument) + 1) << 16
#define OBJECT_RESULT (1 << 20)
#define ONLY_STDIO_SOCKETS (1 << 21)
#define AT_FDCWD (-100)

/* One bit for each call that somebody asks for. */
struct {
	MAP_INT(type, BPF_MAP_TYPE_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
	MAP_INT(max_entries, 1);
} asked_calls SECTION(".maps");

INLINE bool is_asked_for(u32 call)
{
	u32 zero = 0;
	u64 *calls = bpf_map_lookup_elem(&asked_calls, &zero);

	return calls && *calls >> call & 1;
}

INLINE struct file *file_of(struct task_struct *task, s64 fd)
{
	struct fdtable *table = task->files->fdt;
	struct file **slot = READ(table, fd);
	struct file *file = NULL;

	if (fd < 0 || (u64)fd >= READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), slot + (u32)fd);
	return file;
}

/* The socket behind a file, when it is one of IPv4 or IPv6. */
INLINE struct sock *ip_socket(struct file *file)
{
	struct inode *inode = READ(file, f_inode);
	struct socket *socket = READ(file, private_data);
	struct sock *sock;
	u16 family;

	if ((READ(inode, i_mode) & S_IFMT) != S_IFSOCK || !socket)
		return NULL;
	sock = READ(socket, sk);
	family = READ(sock, __sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sock : NULL;
}

INLINE u32 append_socket(struct scratch *scratch, struct sock *sock)
{
	struct socket_object object = {};
	u32 at = offset(scratch);

	object.family = READ(sock, __sk_common.skc_family);
	object.protocol = READ(sock, sk_protocol);
	object.local_port = READ(sock, __sk_common.skc_num);
	object.remote_port = __builtin_bswap16(READ(sock, __sk_common.skc_dport));
	if (object.family == AF_INET6) {
		bpf_probe_read_kernel(object.local, 16, &sock->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(object.remote, 16, &sock->__sk_common.skc_v6_daddr);
	} else {
		bpf_probe_read_kernel(object.local, 4, &sock->__sk_common.skc_rcv_saddr);
		bpf_probe_read_kernel(object.remote, 4, &sock->__sk_common.skc_daddr);
	}
	bpf_probe_read_kernel(&scratch->text[at], sizeof(object), &object);
	scratch->used = at + sizeof(object);
	return sizeof(object);
}

INLINE u64 argument_of(struct call_record *record, u32 number)
{
	return record->arguments[number & 3];
}

/* The descriptor that the shape speaks of, or the working folder. */
INLINE void append_object(struct scratch *scratch, struct call_record *record, u32 shape, struct task_struct *task)
{
	u32 at = (shape >> 16 & 7) ? shape >> 16 & 7 : shape >> 8 & 7;
	struct fs_struct *fs = task->fs;
	struct path path = {};
	struct file *file = NULL;
	u32 length = 0;

	if (shape & OBJECT_RESULT)
		file = file_of(task, record->result);
	else if (at && (s32)argument_of(record, at - 1) != AT_FDCWD)
		file = file_of(task, (s32)argument_of(record, at - 1));
	else if (at || shape & FOLDER_CWD)
		path = read_path(&fs->pwd);
	if (file) {
		struct sock *sock = ip_socket(file);

		if (sock) {
			record->object_flags = OBJECT_SOCKET;
			record->lengths[0] = append_socket(scratch, sock);
			return;
		}
		path = read_path(&file->f_path);
	}
	if (!path.dentry)
		return;
	record->object_flags = append_path(scratch, path, read_path(&fs->root), &length);
	record->lengths[0] = length;
}

INLINE void append_texts(struct scratch *scratch, struct call_record *record, u32 shape, struct pt_regs *regs)
{
	u32 count = 0;

#pragma clang loop unroll(full)
	for (u32 i = 0; i < 4; i++) {
		if (shape & TEXT(i) && count < 3) {
			count++;
			record->lengths[count & 3] = append_user_string(scratch, record->arguments[i]);
		}
	}
}

/* A call's record, without arguments, object and texts. NULL: there is no room for one, which is counted. */
INLINE struct scratch *begin_call(struct task_struct *task, u32 call, s64 result)
{
	struct scratch *scratch = take_scratch();
	struct call_record *record;

	if (!scratch) {
		count_lost(KIND_CALL);
		return NULL;
	}
	record = &scratch->call;
	fill_head(&record->head, KIND_CALL, task);
	record->call = call;
	record->result = result;
	record->object_flags = 0;
	__builtin_memset(record->lengths, 0, sizeof(record->lengths));
	__builtin_memset(record->arguments, 0, sizeof(record->arguments));
	return scratch;
}

INLINE u64 call_bytes(struct scratch *scratch)
{
	return (u64)scratch->text - (u64)&scratch->call + offset(scratch);
}

INLINE void send_call(struct scratch *scratch)
{
	send(&scratch->call.head, call_bytes(scratch), LATER);
	give_back(scratch);
}

static __attribute__((noinline)) int call_returned(u32 call, u32 shape, struct pt_regs *regs, s64 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct scratch *scratch;
	struct call_record *record;

	if (!is_caller_wanted(task))
		return 0;
	if (shape & ONLY_STDIO_SOCKETS) {
		struct file *file = result >= 0 && result <= 2 ? file_of(task, result) : NULL;

		if (!file || !ip_socket(file))
			return 0;
	}
	scratch = begin_call(task, call, result);
	if (!scratch)
		return 0;
	record = &scratch->call;
	record->arguments[0] = ARGUMENT0(regs);
	record->arguments[1] = ARGUMENT1(regs);
	record->arguments[2] = ARGUMENT2(regs);
	record->arguments[3] = ARGUMENT3(regs);
	append_object(scratch, record, shape, task);
	append_texts(scratch, record, shape, regs);
	send_call(scratch);
	return 0;
}

/* A trampoline for each: it knows which call it is at. */
#define CALL(number, name, shape)                                                          \
	SECTION("fexit/" #name)                                                                \
	int call_##name(u64 *ctx)                                                              \
	{                                                                                      \
		return call_returned(number, shape, (struct pt_regs *)ctx[0], (s64)ctx[1]);        \
	}
#include "calls.h"
#undef CALL

struct known_call {
	u8 call; /* its number and one: 0 is none */
	u32 shape;
};

#define CALL(number, name, shape) [NR_##name] = { number + 1, shape },
static const struct known_call known_calls[NR_KNOWN] = {
#include "calls.h"
};
#undef CALL

/* One program for all tracepoints: the verifier looks at it once. */
SECTION("tracepoint/syscalls/sys_exit_unlinkat")
int on_call_returned(struct syscall_exit *ctx)
{
	struct pt_regs *regs = bpf_task_pt_regs(bpf_get_current_task_btf());
	u32 number = ctx->number;

	if (number >= NR_KNOWN || !known_calls[number].call)
		return 0;
	return call_returned(known_calls[number].call - 1, known_calls[number].shape, regs, ctx->result);
}
