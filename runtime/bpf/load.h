/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Files mapped to be executed: libraries. A program that loads what its like in the same container has loaded is told
 * once, as long as the file is where images' files are; what was written there since is told for every process.
 */
#pragma once

#include "call.h"
#include "file.h"
#include "path.h"
#include "send.h"
#include "task.h"

#define PROT_EXEC 4

struct load_key {
	u64 device, inode;
	u64 who;    /* the executable's inode; of what was written since, the process's start */
	u64 where;  /* the cgroup; of what was written since, how many programs were executed */
	u64 is_own; /* which of the two */
};

/* A table that forgets the oldest: then something is told twice. */
struct {
	MAP_INT(type, BPF_MAP_TYPE_LRU_HASH);
	MAP_TYPE(key, struct load_key);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 16384);
} known_loads SECTION(".maps");

/*
 * The path by which a program knows a mapped file. An overlay maps the file of one of its layers instead of its own: that
 * has the overlay's path (until 6.7), or says it beside (since 6.8).
 */
INLINE struct path mapped_path(struct file *file)
{
	struct backing_file *backing = (void *)file;

	if (EXISTS(backing, user_path) && READ(file, f_mode) & FMODE_BACKING)
		return read_path(&backing->user_path);
	return read_path(&file->f_path);
}

INLINE void fill_mapped(struct file_record *record, struct inode *inode, struct dentry *dentry)
{
	struct super_block *super = READ(inode, i_sb);

	record->device = READ(super, s_dev);
	record->inode = READ(inode, i_ino);
	record->is_upper_layer = is_upper_layer(inode, super);
	record->is_deleted = READ(inode, i_nlink) == 0 || READ(dentry, d_hash.pprev) == NULL;
}

INLINE bool is_new_load(struct file_record *file, struct inode *program, struct task_struct *task)
{
	struct load_key key = {};
	u8 one = 1;

	key.device = file->device;
	key.inode = file->inode;
	key.is_own = file->is_upper_layer || file->is_deleted;
	key.who = key.is_own ? leader_of(task)->start_boottime : READ(program, i_ino);
	key.where = key.is_own ? task->self_exec_id : bpf_get_current_cgroup_id();
	if (bpf_map_lookup_elem(&known_loads, &key))
		return false;
	bpf_map_update_elem(&known_loads, &key, &one, 0);
	return true;
}

/* A global function, as those of policy.h: several programs come here. */
__attribute__((noinline)) int mapped(u64 number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct file *file = (void *)number;
	struct path path = mapped_path(file);
	struct inode *inode = READ(path.dentry, d_inode);
	struct mm_struct *mm = task->mm;
	struct fs_struct *fs = task->fs;
	struct file_record mapped = {};
	struct inode *program;

	if (!file || !inode || !mm)
		return 0;
	struct file *exe = mm->exe_file;

	program = READ(exe, f_inode);
	/* Its own program is the exec's matter. */
	if (inode == program)
		return 0;
	fill_mapped(&mapped, inode, path.dentry);
	if (!is_new_load(&mapped, program, task))
		return 0;
	struct scratch *scratch = take_scratch();

	if (!scratch) {
		count_lost(KIND_LOAD);
		return 0;
	}
	struct load_record *record = &scratch->load;

	fill_head(&record->head, KIND_LOAD, task);
	record->file = mapped;
	record->path_flags = append_path(scratch, path, read_path(&fs->root), &record->path_length);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), LATER);
	give_back(scratch);
	return 0;
}

/* While a program is being executed, it and its loader are mapped on behalf of the one before: execs tell of it. */
INLINE bool is_executing(struct task_struct *task)
{
	u64 number = CALL_NUMBER(bpf_task_pt_regs(task));

	return number == NR_EXECVE || number == NR_EXECVEAT;
}

INLINE int tell_mapped(struct file *file)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* Whatever rules ask for: the host's programs load libraries all day. */
	if (!is_contained(task) || !is_caller_wanted(task) || is_executing(task))
		return 0;
	return mapped(number_of(file));
}

INLINE int tell_protected(struct vm_area_struct *area)
{
	struct file *file = READ(area, vm_file);

	return file && !(READ(area, vm_flags) & VM_EXEC) ? tell_mapped(file) : 0;
}

SECTION("lsm/mmap_file")
int on_mmap_file(u64 *ctx)
{
	struct file *file = (void *)ctx[0];

	if (file && ctx[2] & PROT_EXEC)
		tell_mapped(file);
	return 0;
}

SECTION("lsm/file_mprotect")
int on_file_mprotect(u64 *ctx)
{
	if (ctx[2] & PROT_EXEC)
		tell_protected((void *)ctx[0]);
	return 0;
}

/* The functions that ask security modules exist without any of them. */
SECTION("fexit/security_mmap_file")
int on_mmap_asked(u64 *ctx)
{
	struct file *file = (void *)ctx[0];

	if (file && ctx[1] & PROT_EXEC && !(s32)ctx[3])
		tell_mapped(file);
	return 0;
}

SECTION("fexit/security_file_mprotect")
int on_mprotect_asked(u64 *ctx)
{
	if (ctx[2] & PROT_EXEC && !(s32)ctx[3])
		tell_protected((void *)ctx[0]);
	return 0;
}

SECTION("tracepoint/syscalls/sys_exit_mmap")
int on_mmap_returned(struct syscall_exit *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = bpf_task_pt_regs(task);
	struct file *file;

	if (IS_ERROR(ctx->result) || !(ARGUMENT2(regs) & PROT_EXEC) || ARGUMENT3(regs) & MAP_ANONYMOUS)
		return 0;
	file = file_of(task, (s32)ARGUMENT4(regs));
	if (file)
		tell_mapped(file);
	return 0;
}
