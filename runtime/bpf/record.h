/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Records as they leave the kernel; runtime/src/wire reads exactly this. Every field is naturally aligned and padding is
 * spelled out. Texts follow the fixed part in the order of their length fields.
 */
#pragma once

#include "kernel.h"

/* wire::Kind */
enum kind {
	KIND_EXEC = 1,
	KIND_FORK = 2,
	KIND_EXIT = 3,
	KIND_CGROUP = 4,
	KIND_OPEN = 5,
	KIND_CONNECT = 6,
	KIND_BIND = 7,
	KIND_LISTEN = 8,
	KIND_TASK = 9,
	KIND_CALL = 10,
	KIND_LOAD = 11,
	KIND_ENVIRONMENT = 12,
	KIND_ENTERED = 13,
	KIND_CONNECT_FAILED = 14,
	KIND_LOCAL = 15,
	KIND_CAPABILITY = 16,
	KIND_COUNT = 17,
};

struct task_record {
	u64 start_time_ns;
	u64 parent_start_time_ns;
	u64 cgroup_id;
	s32 pid, tid, parent_pid, container_pid;
	u32 pid_namespace, mount_namespace;
	u32 uid, gid, euid, egid, login_uid;
	s32 session_id;
	u32 tty_major, tty_minor;
	char comm[16];
	u64 capabilities; /* effective */
	u64 exec_id;      /* how many programs it and its ancestors have executed: another number is another program */
	u64 permitted;    /* capabilities that it may make effective */
	s32 group_id;     /* process group, in the innermost pid namespace */
	s32 host_group_id;
};

struct head_record {
	u32 kind;
	u32 cpu;
	u64 time_ns;
	struct task_record task;
};

/* Flags of a path. Its components follow leaf first, each ended by a NUL. */
enum {
	PATH_REACHED_ROOT = 1, /* the walk ended at the task's root */
	PATH_DETACHED = 2,     /* no file system holds it: a memfd, a pipe */
	PATH_CUT = 4,          /* deeper or longer than we walk */
	OBJECT_SOCKET = 8,     /* of a call's object: no path but a struct socket_object */
	PATH_OF_FOLDER = 16,   /* what the caller wrote begins there */
};

/* What a policy made of an act: wire::Verdict. */
enum { VERDICT_NONE = 0, VERDICT_WOULD_REFUSE = 1, VERDICT_REFUSED = 2, VERDICT_KILLED = 3 };

struct file_record {
	u64 device;
	u64 inode;
	u32 is_upper_layer;
	u32 is_deleted;
};

struct exec_record {
	struct head_record head;
	struct file_record exe;
	u32 filename_length, exe_length, cwd_length, args_length;
	u32 exe_flags, cwd_flags;
	u32 args_total; /* before cutting */
	u32 verdict;
	/* filename, exe, cwd, args */
};

struct open_record {
	struct head_record head;
	u64 inode;
	u32 mode; /* f_mode */
	u32 flags;
	u32 path_length;
	u32 path_flags;
	u32 asked_length; /* 0: nobody asked for it */
	u32 verdict;
	/* path as the caller wrote it, path */
};

struct load_record {
	struct head_record head;
	struct file_record file;
	u32 path_length;
	u32 path_flags;
	/* path */
};

struct call_record {
	struct head_record head;
	u32 call; /* model: SystemCall::ALL */
	u32 object_flags;
	s64 result;
	u64 arguments[4];
	u16 lengths[4]; /* of the object, and of up to three texts */
	/* object: a path or a socket_object; texts */
};

struct socket_object {
	u16 family;
	u16 protocol;
	u16 local_port; /* host order */
	u16 remote_port;
	u8 local[16]; /* IPv4: first 4 bytes */
	u8 remote[16];
};

struct address_record {
	struct head_record head;
	u8 ip[16]; /* IPv4: first 4 bytes */
	u16 family;
	u16 port; /* host order */
	u16 protocol;
	u16 verdict;
	s32 error; /* of a connection that failed */
	u32 padding;
};

#define UNIX_NAME_BYTES 108 /* sun_path */

struct local_record {
	struct head_record head;
	u32 length;
	u32 padding;
	char name[128]; /* as bound; an abstract one begins with a NUL */
};

struct capability_record {
	struct head_record head;
	u32 capability;
	u32 padding;
};

struct fork_record {
	struct head_record head;
	struct task_record child;
};

struct exit_record {
	struct head_record head;
	s32 status;
	u32 padding;
};

/* Right before the exec that it is of. */
struct environment_record {
	struct head_record head;
	u32 length;
	u32 total; /* before cutting */
	/* texts, each ended by a NUL */
};

/* A cgroup that was made; one that the task was put into. */
struct cgroup_record {
	struct head_record head;
	u64 cgroup_id;
	u32 path_length;
	u32 padding;
	/* path: one text from the root */
};
