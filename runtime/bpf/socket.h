/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* connect, first datagram to a peer, bind, listen. The cgroup hooks run with preemption on: records are on the stack. */
#pragma once

#include "call.h"
#include "policy.h"
#include "send.h"
#include "task.h"

INLINE void send_address(struct address_record *record, u32 kind, struct task_struct *task)
{
	fill_head(&record->head, kind, task);
	send(&record->head, sizeof(*record), LATER);
}

INLINE void copy_ip6(struct address_record *record, u32 a, u32 b, u32 c, u32 d)
{
	u32 *ip = (u32 *)record->ip;

	ip[0] = a;
	ip[1] = b;
	ip[2] = c;
	ip[3] = d;
}

INLINE u16 host_order(u32 port)
{
	return __builtin_bswap16((u16)port);
}

/* These hooks can refuse: 0 is EPERM for the caller. */
INLINE int send_peer(struct address_record *record, struct task_struct *task)
{
	if (has_policies) {
		struct policy *policy = find_policy(task, task->self_exec_id);

		if (policy && is_refused_peer(policy, record))
			record->verdict = conclude(policy);
	}
	send_address(record, KIND_CONNECT, task);
	return record->verdict != VERDICT_REFUSED;
}

INLINE int peer4(struct bpf_sock_addr *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct address_record record = {};

	if (!is_caller_wanted(task))
		return 1;
	*(u32 *)record.ip = ctx->user_ip4;
	record.family = AF_INET;
	record.port = host_order(ctx->user_port);
	record.protocol = ctx->protocol;
	return send_peer(&record, task);
}

INLINE int peer6(struct bpf_sock_addr *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct address_record record = {};

	if (!is_caller_wanted(task))
		return 1;
	copy_ip6(&record, ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]);
	record.family = AF_INET6;
	record.port = host_order(ctx->user_port);
	record.protocol = ctx->protocol;
	return send_peer(&record, task);
}

SECTION("cgroup/connect4")
int on_connect4(struct bpf_sock_addr *ctx)
{
	return peer4(ctx);
}

SECTION("cgroup/connect6")
int on_connect6(struct bpf_sock_addr *ctx)
{
	return peer6(ctx);
}

/* Datagrams without connect(2): said once per socket and peer, as long as the table remembers. */
struct peer_key {
	u64 socket;
	u8 ip[16];
	u64 port;
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_LRU_HASH);
	MAP_TYPE(key, struct peer_key);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 4096);
} known_peers SECTION(".maps");

INLINE bool is_new_peer(struct peer_key *key)
{
	u8 one = 1;

	if (bpf_map_lookup_elem(&known_peers, key))
		return false;
	bpf_map_update_elem(&known_peers, key, &one, 0);
	return true;
}

SECTION("cgroup/sendmsg4")
int on_sendmsg4(struct bpf_sock_addr *ctx)
{
	struct peer_key key = {};

	if (!is_caller_wanted(bpf_get_current_task_btf()))
		return 1;
	key.socket = bpf_get_socket_cookie(ctx);
	*(u32 *)key.ip = ctx->user_ip4;
	key.port = ctx->user_port;
	return is_new_peer(&key) ? peer4(ctx) : 1;
}

SECTION("cgroup/sendmsg6")
int on_sendmsg6(struct bpf_sock_addr *ctx)
{
	struct peer_key key = {};
	u32 *ip = (u32 *)key.ip;

	if (!is_caller_wanted(bpf_get_current_task_btf()))
		return 1;
	key.socket = bpf_get_socket_cookie(ctx);
	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	key.port = ctx->user_port;
	return is_new_peer(&key) ? peer6(ctx) : 1;
}

SECTION("cgroup/post_bind4")
int on_post_bind4(struct bpf_sock *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct address_record record = {};

	if (!is_caller_wanted(task))
		return 1;
	*(u32 *)record.ip = ctx->src_ip4;
	record.family = AF_INET;
	record.port = ctx->src_port;
	record.protocol = ctx->protocol;
	send_address(&record, KIND_BIND, task);
	return 1;
}

SECTION("cgroup/post_bind6")
int on_post_bind6(struct bpf_sock *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct address_record record = {};

	if (!is_caller_wanted(task))
		return 1;
	copy_ip6(&record, ctx->src_ip6[0], ctx->src_ip6[1], ctx->src_ip6[2], ctx->src_ip6[3]);
	record.family = AF_INET6;
	record.port = ctx->src_port;
	record.protocol = ctx->protocol;
	send_address(&record, KIND_BIND, task);
	return 1;
}

#define EINPROGRESS 115
#define EALREADY 114
#define EISCONN 106

/* Whether a call's result says that there will be no connection. */
INLINE bool has_failed(s32 result)
{
	return result < 0 && result != -EINPROGRESS && result != -EALREADY && result != -EISCONN;
}

/* `address`: the kernel's copy or the caller's. A refusal by policy was told as such. */
INLINE int tell_failed(const void *address, bool is_users, u16 protocol, s32 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct address_record record = {};
	u8 bytes[24] = {};

	if (!has_failed(result) || (has_policies && result == -EPERM) || !is_caller_wanted(task))
		return 0;
	/* struct sockaddr_in: port at 2, address at 4; struct sockaddr_in6: address at 8. */
	if (is_users)
		bpf_probe_read_user(bytes, 16, address);
	else
		bpf_probe_read_kernel(bytes, 16, address);
	record.family = *(u16 *)bytes;
	record.port = __builtin_bswap16(*(u16 *)&bytes[2]);
	if (record.family == AF_INET)
		*(u32 *)record.ip = *(u32 *)&bytes[4];
	else if (record.family == AF_INET6 && is_users)
		bpf_probe_read_user(record.ip, 16, address + 8);
	else if (record.family == AF_INET6)
		bpf_probe_read_kernel(record.ip, 16, address + 8);
	else
		return 0;
	record.protocol = protocol;
	record.error = result;
	send_address(&record, KIND_CONNECT_FAILED, task);
	return 0;
}

SECTION("fexit/inet_stream_connect")
int on_stream_connected(u64 *ctx)
{
	struct socket *socket = (void *)ctx[0];

	return tell_failed((void *)ctx[1], false, socket->sk->sk_protocol, (s32)ctx[4]);
}

SECTION("fexit/inet_dgram_connect")
int on_datagram_connected(u64 *ctx)
{
	struct socket *socket = (void *)ctx[0];

	return tell_failed((void *)ctx[1], false, socket->sk->sk_protocol, (s32)ctx[4]);
}

SECTION("tracepoint/syscalls/sys_exit_connect")
int on_connect_returned(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct file *file;
	struct sock *sock;

	if (!has_failed((s32)ctx->result))
		return 0;
	file = file_of(task, (s32)ARGUMENT0(regs));
	sock = file ? ip_socket(file) : NULL;
	if (!sock)
		return 0;
	return tell_failed((void *)ARGUMENT1(regs), true, READ(sock, sk_protocol), (s32)ctx->result);
}

INLINE void fill_listening(struct address_record *record, struct sock *sock)
{
	record->family = READ(sock, __sk_common.skc_family);
	record->port = READ(sock, __sk_common.skc_num);
	record->protocol = READ(sock, sk_protocol);
	if (record->family == AF_INET6)
		bpf_probe_read_kernel(record->ip, 16, &sock->__sk_common.skc_v6_rcv_saddr);
	else
		bpf_probe_read_kernel(record->ip, 4, &sock->__sk_common.skc_rcv_saddr);
}

SECTION("tp_btf/inet_sock_set_state")
int on_sock_state(u64 *ctx)
{
	struct sock *sock = (void *)ctx[0];
	struct task_struct *task;
	struct address_record record = {};

	if ((int)ctx[1] != TCP_CLOSE || (int)ctx[2] != TCP_LISTEN)
		return 0;
	task = bpf_get_current_task_btf();
	if (!is_caller_wanted(task))
		return 0;
	fill_listening(&record, sock);
	send_address(&record, KIND_LISTEN, task);
	return 0;
}
