/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Datagrams received: said once per socket and sender, as long as the table remembers, as a call of recvfrom. A receiver
 * that does not ask for the sender has an unknown one. Addresses are the kernel's, whoever received: also io_uring.
 */
#pragma once

#include "call.h"
#include "send.h"
#include "socket.h"
#include "task.h"

#define CALL_RECVFROM 45
/* In a peer's key, so that sent and received datagrams are not taken for each other. */
#define RECEIVED (1ULL << 32)

/* On the stack, since cgroup hooks run with preemption on: the object is where texts begin. */
struct receive_record {
	struct call_record call;
	struct socket_object socket;
};

_Static_assert(sizeof(struct call_record) == sizeof(struct exec_record), "texts begin behind a call's fixed part");

INLINE void send_received(struct receive_record *record, s64 result, struct task_struct *task)
{
	fill_head(&record->call.head, KIND_CALL, task);
	record->call.call = CALL_RECVFROM;
	record->call.result = result;
	record->call.object_flags = OBJECT_SOCKET;
	record->call.lengths[0] = sizeof(record->socket);
	send(&record->call.head, sizeof(*record), LATER);
}

INLINE bool is_new_sender(u64 cookie, struct socket_object *socket)
{
	struct peer_key key = {};

	key.socket = cookie;
	__builtin_memcpy(key.ip, socket->remote, 16);
	key.port = RECEIVED | socket->remote_port;
	return is_new_peer(&key);
}

INLINE int received(struct sock *sock, struct msghdr *message, s32 result)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct receive_record record = {};
	struct socket_object *socket = &record.socket;
	const void *name;

	if (result < 0 || !is_caller_wanted(task))
		return 0;
	socket->family = READ(sock, __sk_common.skc_family);
	socket->protocol = READ(sock, sk_protocol);
	socket->local_port = READ(sock, __sk_common.skc_num);
	socket->remote_port = __builtin_bswap16(READ(sock, __sk_common.skc_dport));
	name = READ(message, msg_name);
	/* struct sockaddr_in: port at 2, address at 4; struct sockaddr_in6: address at 8. */
	if (name) {
		bpf_probe_read_kernel(&socket->remote_port, 2, name + 2);
		socket->remote_port = __builtin_bswap16(socket->remote_port);
	}
	if (socket->family == AF_INET6) {
		bpf_probe_read_kernel(socket->local, 16, &sock->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(socket->remote, 16, name ? name + 8 : (void *)&sock->__sk_common.skc_v6_daddr);
	} else {
		bpf_probe_read_kernel(socket->local, 4, &sock->__sk_common.skc_rcv_saddr);
		bpf_probe_read_kernel(socket->remote, 4, name ? name + 4 : (void *)&sock->__sk_common.skc_daddr);
	}
	if (is_new_sender(bpf_get_socket_cookie(sock), socket))
		send_received(&record, result, task);
	return 0;
}

#define RECEIVE(program, function)                                                         \
	SECTION("fexit/" #function)                                                            \
	int program(u64 *ctx)                                                                  \
	{                                                                                      \
		return received((void *)ctx[0], (void *)ctx[1], (s32)ctx[5]);                      \
	}

RECEIVE(on_udp_received, udp_recvmsg)
RECEIVE(on_udp6_received, udpv6_recvmsg)
RECEIVE(on_raw_received, raw_recvmsg)
RECEIVE(on_raw6_received, rawv6_recvmsg)

/* The hooks are asked for receivers that want to know the sender. */
INLINE int received_from(struct bpf_sock_addr *ctx, struct receive_record *record)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct bpf_sock *sock = ctx->sk;

	if (!is_caller_wanted(task))
		return 1;
	record->socket.protocol = ctx->protocol;
	record->socket.remote_port = host_order(ctx->user_port);
	if (sock)
		record->socket.local_port = sock->src_port;
	if (is_new_sender(bpf_get_socket_cookie(ctx), &record->socket))
		send_received(record, 0, task);
	return 1;
}

SECTION("cgroup/recvmsg4")
int on_recvmsg4(struct bpf_sock_addr *ctx)
{
	struct receive_record record = {};
	struct bpf_sock *sock = ctx->sk;

	record.socket.family = AF_INET;
	*(u32 *)record.socket.remote = ctx->user_ip4;
	if (sock)
		*(u32 *)record.socket.local = sock->src_ip4;
	return received_from(ctx, &record);
}

SECTION("cgroup/recvmsg6")
int on_recvmsg6(struct bpf_sock_addr *ctx)
{
	struct receive_record record = {};
	struct bpf_sock *sock = ctx->sk;
	u32 *ip = (u32 *)record.socket.remote;

	record.socket.family = AF_INET6;
	ip[0] = ctx->user_ip6[0];
	ip[1] = ctx->user_ip6[1];
	ip[2] = ctx->user_ip6[2];
	ip[3] = ctx->user_ip6[3];
	ip = (u32 *)record.socket.local;
	if (sock) {
		ip[0] = sock->src_ip6[0];
		ip[1] = sock->src_ip6[1];
		ip[2] = sock->src_ip6[2];
		ip[3] = sock->src_ip6[3];
	}
	return received_from(ctx, &record);
}
