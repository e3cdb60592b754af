/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/*
 * Files opened so that they can be written, and those whose reading a rule asks for. The kernel's own struct file is
 * read; the caller's memory only for the path as it was written, where a rule asks for that.
 */
#pragma once

#include "path.h"
#include "policy.h"
#include "send.h"
#include "task.h"

/* An error pointer, not an address. */
#define IS_ERROR(value) ((u64)(value) >= (u64)-4095)

/* Which opens for reading leave the kernel, as the loaded rules say: none, those of `read_places`, or all. */
enum { READS_NONE = 0, READS_SOME = 1, READS_ALL = 2 };

/* Set by the loader. */
const volatile u8 reads = READS_NONE;
const volatile u8 reads_with_dots = 0; /* also those whose caller wrote `..` */
const volatile u8 ask_paths = 0;       /* send paths as the caller wrote them */

/* Writing to them leaves nothing behind: null, zero, full, random, urandom, terminals. */
INLINE bool is_harmless_device(u32 device)
{
	u32 major = device >> 20, minor = device & 0xfffff;

	return (major == 1 && (minor == 3 || minor == 5 || minor == 7 || minor == 8 || minor == 9)) || major == 5 ||
	       (major >= 136 && major <= 143);
}

/* What of a file is read at once. */
#define FILE_BYTES 80

struct opened {
	struct path path;
	struct inode *inode;
	u32 mode, flags;
};

/* Not inline: what it reads into is not to be on the stack any more when paths are walked. */
static __attribute__((noinline)) int look_at(struct opened *opened, struct file *file)
{
	BEGINNING(start, file, FILE_BYTES);

	opened->path.mnt = FIELD(start, file, f_path.mnt);
	opened->path.dentry = FIELD(start, file, f_path.dentry);
	opened->inode = FIELD(start, file, f_inode);
	opened->mode = FIELD(start, file, f_mode);
	opened->flags = FIELD(start, file, f_flags);
	return 0;
}

/*
 * Reading is told of files and folders; what devices and sockets give is no secret that a rule could name. Writing is told of
 * all that keeps what was written.
 */
INLINE bool is_worth_sending(struct inode *inode, bool is_write)
{
	u16 type = READ(inode, i_mode) & S_IFMT;

	if (!is_write && type != S_IFREG && type != S_IFDIR && reads != READS_ALL)
		return false;
	if (type == S_IFIFO || type == S_IFSOCK)
		return false;
	return type != S_IFCHR || !is_harmless_device(READ(inode, i_rdev));
}

#define PLACE_BYTES 32
#define MAX_DOT_SEARCH 256

/* First two components of a path, cut to PLACE_BYTES; an empty second one stands for everything below the first. */
struct read_place {
	char first[PLACE_BYTES];
	char second[PLACE_BYTES];
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct read_place);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 1024);
} read_places SECTION(".maps");

/* Components that rules ask for wherever they are, cut likewise. */
struct read_name {
	char text[PLACE_BYTES];
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_HASH);
	MAP_TYPE(key, struct read_name);
	MAP_TYPE(value, u8);
	MAP_INT(max_entries, 256);
} read_names SECTION(".maps");

/*
 * How long the texts of both tables are, one bit for each length: most files are told from what rules ask for without a
 * look at a name. Bit 0 of `seconds` stands for places that are whole folders.
 */
struct read_lengths {
	u32 names, firsts, seconds;
};

struct {
	MAP_INT(type, BPF_MAP_TYPE_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct read_lengths);
	MAP_INT(max_entries, 1);
} read_lengths SECTION(".maps");

INLINE bool has_length(u32 lengths, u32 length)
{
	return lengths >> (length < PLACE_BYTES ? length : PLACE_BYTES - 1) & 1;
}

INLINE bool is_read_name(const u8 *text)
{
	struct read_name name = {};

	bpf_probe_read_kernel_str(name.text, PLACE_BYTES, text);
	return bpf_map_lookup_elem(&read_names, &name) != NULL;
}

struct part {
	const u8 *text;
	u32 length; /* 0: there is none */
};

INLINE bool is_place(struct read_lengths *lengths, struct part first, struct part second)
{
	struct read_place place = {};

	bool has_second = second.length && has_length(lengths->seconds, second.length);

	if (!first.length || !has_length(lengths->firsts, first.length) || !(has_second || lengths->seconds & 1))
		return false;
	bpf_probe_read_kernel_str(place.first, PLACE_BYTES, first.text);
	if (lengths->seconds & 1 && bpf_map_lookup_elem(&read_places, &place))
		return true;
	if (!has_second)
		return false;
	bpf_probe_read_kernel_str(place.second, PLACE_BYTES, second.text);
	return bpf_map_lookup_elem(&read_places, &place) != NULL;
}

/* Whether rules ask for reads of a file, as far as the upper part of its path and single components say: a walk without a copy. */
__attribute__((noinline)) int is_read_place(u64 leaf, u64 mount)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct path path = {}, root = root_of(task);
	struct part first = {}, second = {};
	struct read_lengths *lengths;
	bool is_whole = false;
	struct climb climb;
	u32 zero = 0;

	lengths = bpf_map_lookup_elem(&read_lengths, &zero);
	if (!lengths)
		return true;
	path.dentry = (void *)leaf;
	path.mnt = (void *)mount;
	begin_climb(&climb, path);
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *dentry, *parent;

		IN_MEMORY(climb);
		IN_MEMORY(first);
		IN_MEMORY(second);
		dentry = climb.dentry;
		if (is_at(&climb, root)) {
			is_whole = true;
			break;
		}
		if (dentry == climb.top) {
			if (leave_mount(&climb))
				continue;
			is_whole = true;
			break;
		}
		BEGINNING(entry, dentry, DENTRY_BYTES);

		parent = FIELD(entry, dentry, d_parent);
		if (parent == dentry) {
			is_whole = true;
			break;
		}
		second = first;
		first.text = FIELD(entry, dentry, d_name.name);
		first.length = FIELD(entry, dentry, d_name.len);
		if (has_length(lengths->names, first.length) && is_read_name(first.text))
			break;
		climb.dentry = parent;
	}
	/* Deeper than we walk: let user space decide. */
	return !is_whole || is_place(lengths, first, second);
}

/* The path argument of the system call that opens, by its number; 0 for other ways to open. */
INLINE u64 asked_path(struct task_struct *task)
{
	struct pt_regs *regs = bpf_task_pt_regs(task);
	u64 number = CALL_NUMBER(regs);

	if (number == NR_OPENAT || number == NR_OPENAT2)
		return ARGUMENT1(regs);
	if (number == NR_OPEN || number == NR_CREAT)
		return ARGUMENT0(regs);
	return 0;
}

#define O_CREAT_EXCL_TRUNC (00100 | 00200 | 01000)

/* An open file forgets that it was to be made or emptied (do_dentry_open); the call's arguments still say so. */
INLINE u32 forgotten_flags(struct task_struct *task)
{
	struct pt_regs *regs = bpf_task_pt_regs(task);
	u64 number = CALL_NUMBER(regs), flags = 0;

	if (number == NR_OPENAT)
		flags = ARGUMENT2(regs);
	else if (number == NR_OPENAT2)
		bpf_probe_read_user(&flags, sizeof(flags), (void *)ARGUMENT2(regs));
	else if (number == NR_OPEN)
		flags = ARGUMENT1(regs);
	else if (number == NR_CREAT)
		flags = 00100 | 01000;
	return flags & O_CREAT_EXCL_TRUNC;
}

INLINE bool has_dots(struct scratch *scratch, u32 length)
{
	bool was_dot = false;

#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MAX_DOT_SEARCH; i++) {
		char letter = scratch->text[i];

		if (i >= length || !letter)
			break;
		if (letter == '.' && was_dot)
			return true;
		was_dot = letter == '.';
	}
	/* Longer than we look: let user space decide. */
	return length > MAX_DOT_SEARCH;
}

/* A hook that can refuse comes first, where there is one; else the process is stopped before it has the file. */
__attribute__((noinline)) int judge_write(u64 opened)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct policy *policy = find_policy(task, task->self_exec_id);
	struct file *file = (void *)opened;
	u32 verdict;

	if (!policy || !is_refused_write(policy, read_path(&file->f_path), task))
		return VERDICT_NONE;
	if (policy->mode == MODE_ENFORCE && !signal_instead)
		return VERDICT_NONE;
	verdict = conclude(policy);
	if (verdict == VERDICT_REFUSED) {
		bpf_send_signal(signal_instead);
		return VERDICT_KILLED;
	}
	return verdict;
}

INLINE void send_open(struct file *file, struct opened *opened, struct task_struct *task)
{
	bool is_write = opened->mode & FMODE_WRITE, is_sent = is_write || reads == READS_ALL;
	struct inode *inode = opened->inode;
	struct fs_struct *fs = task->fs;
	u32 asked = 0;

	/* What is opened to be executed is the exec's matter. */
	if (!is_write && (reads == READS_NONE || opened->flags & FMODE_EXEC))
		return;
	/* What decides most often comes first, and costs least. */
	if (!is_sent && !reads_with_dots && !is_read_place((u64)opened->path.dentry, (u64)opened->path.mnt))
		return;
	if (!is_worth_sending(inode, is_write))
		return;
	if (has_policies && is_write && is_expected_write((u64)opened->path.dentry, (u64)opened->path.mnt))
		return;
	if (!is_caller_heeded())
		return;
	struct scratch *scratch = take_scratch();

	if (!scratch) {
		count_lost(KIND_OPEN);
		return;
	}
	struct open_record *record = &scratch->open;

	if (ask_paths)
		asked = append_user_string(scratch, asked_path(task));
	if (!is_sent && reads_with_dots && !has_dots(scratch, asked) &&
	    !is_read_place((u64)opened->path.dentry, (u64)opened->path.mnt)) {
		give_back(scratch);
		return;
	}
	fill_head(&record->head, KIND_OPEN, task);
	record->inode = READ(inode, i_ino);
	record->mode = opened->mode;
	record->flags = opened->flags | forgotten_flags(task);
	record->asked_length = asked;
	record->verdict = has_policies && is_write ? judge_write(number_of(file)) : VERDICT_NONE;
	record->path_flags = append_path(scratch, opened->path, read_path(&fs->root), &record->path_length);
	send(&record->head, (u64)scratch->text - (u64)record + offset(scratch), LATER);
	give_back(scratch);
}

/* As far as can be said before anything is read: most opens are not of containers. */
INLINE void consider(struct file *file, struct task_struct *task)
{
	struct opened opened = {};

	look_at(&opened, file);
	if (reads || opened.mode & FMODE_WRITE)
		send_open(file, &opened, task);
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

	if ((mode & FMODE_WRITE || reads) && is_possibly_wanted(task) && !is_internal(file, mode))
		consider(file, task);
	return 0;
}

/* do_filp_open() makes every file that open(2), openat(2), openat2(2), creat(2) and io_uring return. */
SECTION("fexit/do_filp_open")
int on_file_opened(u64 *ctx)
{
	struct file *file = (void *)ctx[3];
	struct task_struct *task = bpf_get_current_task_btf();

	if (!IS_ERROR(file) && is_possibly_wanted(task))
		consider(file, task);
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
	if (!is_possibly_wanted(task))
		return 0;
	struct fdtable *table = task->files->fdt;
	struct file **slot = table->fd;
	struct file *file = NULL;

	if ((u32)fd >= table->max_fds)
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), slot + (u32)fd);
	/* Another thread may have closed it since: then there is nothing left to tell from. */
	if (file)
		consider(file, task);
	return 0;
}
