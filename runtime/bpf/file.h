/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Files opened so that they can be written. The kernel's own struct file is read, never the caller's memory. */
#pragma once

#include "path.h"
#include "send.h"
#include "task.h"

/* An error pointer, not an address. */
#define IS_ERROR(value) ((u64)(value) >= (u64)-4095)

/* Writing to them leaves nothing behind: null, zero, full, random, urandom, terminals. */
INLINE bool is_harmless_device(u32 device)
{
	u32 major = device >> 20, minor = device & 0xfffff;

	return (major == 1 && (minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9)) || major == 5 ||
	       (major >= 136 && major <= 143);
}

INLINE bool is_worth_sending(struct inode *inode)
{
	u16 type = READ(inode, i_mode) & S_IFMT;

	if (type == S_IFIFO || type == S_IFSOCK)
		return false;
	return type != S_IFCHR || !is_harmless_device(READ(inode, i_rdev));
}

INLINE void send_open(struct file *file, struct task_struct *task)
{
	struct inode *inode = READ(file, f_inode);

	if (!is_worth_sending(inode))
		return;
	struct scratch *scratch = take_scratch();

	if (!scratch) {
		count_lost(KIND_OPEN);
		return;
	}
	struct open_record *record = &scratch->open;
	struct fs_struct *fs = task->fs;

	fill_head(&record->head, KIND_OPEN, task);
	record->inode = READ(inode, i_ino);
	record->mode = READ(file, f_mode);
	record->flags = READ(file, f_flags);
	record->path_flags = append_path(scratch, read_path(&file->f_path), read_path(&fs->root), &record->path_length);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), false);
	give_back(scratch);
}

/*
 * A security hook also sees files that the kernel opens for itself: an overlay's real file behind the one that was
 * asked for (a fake path since 4.19, a backing file since 6.5), and copies up through a private mount.
 */
INLINE bool is_internal(struct file *file, u32 mode)
{
	struct path path = read_path(&file->f_path);
	struct mount *mount = (void *)path.mnt - (u64)&((struct mount *)0)->mnt;

	return mode & FMODE_BACKING || READ(file, f_inode) != READ(path.dentry, d_inode) ||
	       IS_ERROR(READ(mount, mnt_ns));
}

SECTION("lsm/file_open")
int on_file_open(u64 *ctx)
{
	struct file *file = (void *)ctx[0];
	struct task_struct *task = bpf_get_current_task_btf();
	u32 mode = file->f_mode;

	if (mode & FMODE_WRITE && is_wanted(task) && !is_internal(file, mode))
		send_open(file, task);
	return 0;
}

/* do_filp_open() makes every file that open(2), openat(2), openat2(2), creat(2) and io_uring return. */
SECTION("fexit/do_filp_open")
int on_file_opened(u64 *ctx)
{
	struct file *file = (void *)ctx[3];
	struct task_struct *task = bpf_get_current_task_btf();

	if (!IS_ERROR(file) && READ(file, f_mode) & FMODE_WRITE && is_wanted(task))
		send_open(file, task);
	return 0;
}

/* One program for the exits of open, openat, openat2 and creat: all return a file descriptor. */
SECTION("tracepoint/syscalls/sys_exit_openat")
int on_open_returned(struct syscall_exit *ctx)
{
	struct task_struct *task;
	s64 fd = ctx->result;

	if (fd < 0)
		return 0;
	task = bpf_get_current_task_btf();
	if (!is_wanted(task))
		return 0;
	struct fdtable *table = task->files->fdt;
	struct file **slot = table->fd;
	struct file *file = NULL;

	if ((u32)fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), slot + (u32)fd);
	/* Another thread may have closed it since: then there is nothing left to tell from. */
	if (file && READ(file, f_mode) & FMODE_WRITE)
		send_open(file, task);
	return 0;
}
