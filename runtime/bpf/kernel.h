/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * The kernel's types, as far as our programs touch them. Only names matter: the loader finds each field's real offset in
 * the running kernel's BTF (CO-RE), so order, size and neighbours of a struct here mean nothing.
 */
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed int s32;
typedef signed long long s64;
typedef _Bool bool;
#define true 1
#define false 0
#define NULL ((void *)0)

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	u32 val;
} kuid_t;

typedef struct {
	u32 val;
} kgid_t;

typedef struct {
	s32 counter;
} atomic_t;

struct qstr {
	u32 len;
	const u8 *name;
};

struct super_block {
	u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	u32 i_nlink;
	u32 i_rdev;
};

struct hlist_bl_node {
	struct hlist_bl_node *next, **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
	struct mnt_namespace *mnt_ns;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	u32 f_mode;
	u32 f_flags;
	struct inode *f_inode;
	struct path f_path;
	void *private_data;
};

/* What an overlay maps in place of its own file. Since 6.8 it says here by which path it is known. */
struct backing_file {
	struct path user_path;
};

struct fdtable {
	u32 max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct ns_common {
	u32 inum;
};

struct mnt_namespace {
	struct ns_common ns;
};

struct pid_namespace {
	struct task_struct *child_reaper;
	struct ns_common ns;
};

struct nsproxy {
	void *uts_ns;
	void *ipc_ns;
	struct mnt_namespace *mnt_ns;
	void *pid_ns_for_children;
	void *net_ns;
	void *cgroup_ns;
};

struct upid {
	s32 nr;
	struct pid_namespace *ns;
};

struct pid {
	u32 level;
	struct upid numbers[1];
};

/* kernel_cap_t: two words before 6.3, one long word since; the same bytes in little endian. */
struct capabilities {
	u64 bits;
};

struct cred {
	kuid_t uid;
	kgid_t gid;
	kuid_t euid;
	kgid_t egid;
	struct capabilities cap_permitted;
	struct capabilities cap_effective;
	struct user_namespace *user_ns;
};

struct tty_driver {
	s32 major;
	s32 minor_start;
};

struct tty_struct {
	s32 index;
	struct tty_driver *driver;
};

struct signal_struct {
	atomic_t live;
	s32 group_exit_code;
	u32 flags;
	struct task_struct *curr_target;
	struct pid *pids[4];
	struct tty_struct *tty;
};

struct kernfs_node {
	u64 id;
};

struct cgroup_root {
	s32 hierarchy_id;
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct vm_area_struct {
	unsigned long vm_flags;
	struct file *vm_file;
};

struct mm_struct {
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long env_start;
	unsigned long env_end;
	struct file *exe_file;
};

struct task_struct {
	struct mm_struct *mm;
	s32 exit_code;
	s32 pid;
	s32 tgid;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	u64 start_boottime;
	struct cred *cred;
	char comm[16];
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct signal_struct *signal;
	kuid_t loginuid;
	struct css_set *cgroups;
	u64 self_exec_id;
};

struct linux_binprm {
	struct file *file;
	const char *filename;
	char buf[256];
};

struct in6_addr {
	u8 s6_addr[16];
};

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport; /* network order */
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	u16 sk_protocol;
};

struct sockaddr {
	u16 sa_family;
};

struct msghdr {
	void *msg_name; /* the kernel's copy */
};

struct filename {
	const char *name; /* the kernel's copy */
};

struct open_how {
	u64 flags;
};

struct io_cmd_data {
	struct file *file;
};

/* A request of io_uring; what it asks for lies over `cmd` (since 6.0), by its opcode. */
struct io_kiocb {
	struct io_cmd_data cmd;
	u8 opcode;
};

struct io_open {
	s32 dfd;
	struct filename *filename;
	struct open_how how;
};

struct io_unlink {
	s32 dfd;
	s32 flags;
	struct filename *filename;
};

struct io_rename {
	s32 old_dfd;
	s32 new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
	s32 flags;
};

struct io_mkdir {
	s32 dfd;
	u16 mode;
	struct filename *filename;
};

struct io_link {
	s32 old_dfd;
	s32 new_dfd;
	struct filename *oldpath;
	struct filename *newpath;
	s32 flags;
};

struct io_socket {
	s32 domain;
	s32 type;
	s32 protocol;
};

struct socket {
	struct sock *sk;
};

struct sockaddr_un {
	u16 sun_family;
};

struct unix_address {
	s32 len;
	struct sockaddr_un name[];
};

/* It begins with its struct sock. */
struct unix_sock {
	struct unix_address *addr;
	struct path path;
	struct sock *peer;
};

struct user_namespace {
	s32 level;
};

/* The caller's registers as they were at the call; only the result's register has changed. */
#ifdef __TARGET_ARCH_x86
struct pt_regs {
	unsigned long di, si, dx, r10, r8, orig_ax;
};
#define CALL_NUMBER(regs) ((regs)->orig_ax)
#define ARGUMENT0(regs) ((regs)->di)
#define ARGUMENT1(regs) ((regs)->si)
#define ARGUMENT2(regs) ((regs)->dx)
#define ARGUMENT3(regs) ((regs)->r10)
#define ARGUMENT4(regs) ((regs)->r8)
#define NR_OPEN 2
#define NR_CREAT 85
#define NR_OPENAT 257
#define NR_EXECVE 59
#define NR_EXECVEAT 322
#define NR_OPENAT2 437
#define NR_MOUNT 165
#define NR_UMOUNT2 166
#define NR_PIVOT_ROOT 155
#define NR_SETNS 308
#define NR_UNSHARE 272
#define NR_BPF 321
#define NR_SETHOSTNAME 170
#else
struct pt_regs {
	u64 regs[31];
	u64 orig_x0;
	s32 syscallno;
};
#define CALL_NUMBER(regs) ((u32)(regs)->syscallno)
#define ARGUMENT0(regs) ((regs)->orig_x0)
#define ARGUMENT1(regs) ((regs)->regs[1])
#define ARGUMENT2(regs) ((regs)->regs[2])
#define ARGUMENT3(regs) ((regs)->regs[3])
#define ARGUMENT4(regs) ((regs)->regs[4])
#define NR_OPEN 0xffff /* neither exists there */
#define NR_CREAT 0xffff
#define NR_OPENAT 56
#define NR_EXECVE 221
#define NR_EXECVEAT 281
#define NR_OPENAT2 437
#define NR_MOUNT 40
#define NR_UMOUNT2 39
#define NR_PIVOT_ROOT 41
#define NR_SETNS 268
#define NR_UNSHARE 97
#define NR_BPF 280
#define NR_SETHOSTNAME 161
#endif
#define NR_OPEN_TREE 428 /* to fsmount: the same everywhere */
#define NR_FSMOUNT 432

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	u32 fd;
	struct file *file;
};

#pragma clang attribute pop

/* Context types: stable ABI of linux/bpf.h and of tracefs' `format` files, so without CO-RE. */

struct bpf_sock {
	u32 bound_dev_if, family, type, protocol, mark, priority;
	u32 src_ip4;
	u32 src_ip6[4];
	u32 src_port; /* host order */
};

struct bpf_sock_addr {
	u32 user_family;
	u32 user_ip4;
	u32 user_ip6[4];
	u32 user_port; /* network order */
	u32 family, type, protocol;
	u32 msg_src_ip4;
	u32 msg_src_ip6[4];
	struct bpf_sock *sk;
};

struct syscall_exit {
	u64 common;
	s32 number;
	s32 padding;
	s64 result;
};

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};
enum { BPF_F_NO_PREALLOC = 1 };
enum { BPF_RB_NO_WAKEUP = 1, BPF_RB_FORCE_WAKEUP = 2 };
enum { BPF_RB_AVAIL_DATA = 0 };

#define VM_EXEC 4
#define MAP_ANONYMOUS 0x20
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define TCP_CLOSE 7
#define TCP_LISTEN 10
#define PIDTYPE_PGID 2
#define PIDTYPE_SID 3
#define SIGNAL_GROUP_EXIT 4
#define FMODE_WRITE 0x2
#define FMODE_EXEC 0x20 /* in f_flags, never given by a caller */
#define FMODE_BACKING 0x2000000
#define S_IFMT 0170000
#define S_IFSOCK 0140000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFCHR 0020000
#define S_IFIFO 0010000
#define OVERLAYFS_MAGIC 0x794c7630
