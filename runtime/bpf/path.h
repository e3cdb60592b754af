/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* Paths and files: a dentry walked up to the task's root. bpf_d_path() is allowed in a handful of hooks only. */
#pragma once

#include "helpers.h"
#include "record.h"

#define MAX_COMPONENTS 32
#define MAX_NAME 256
#define MAX_PATH 4096
#define MAX_ARGS 4096
#define MAX_FILENAME 1024
#define MAX_ASKED 4000
#define TEXT_BYTES 16384

/* All texts of the longest record fit: offsets never wrap. */
_Static_assert(MAX_FILENAME + 2 * MAX_PATH + MAX_ARGS <= TEXT_BYTES, "texts overlap");
_Static_assert(MAX_PATH + 3 * MAX_ASKED < TEXT_BYTES, "texts overlap");

/* One text area with room behind it, so that a write of at most MAX_ARGS at any masked offset stays inside. */
struct scratch {
	u32 busy;
	u32 used;
	union { /* the text starts behind the longest of them, whichever is used: wire::TEXT */
		struct exec_record exec;
		struct open_record open;
		struct cgroup_record cgroup;
		struct call_record call;
		struct load_record load;
		struct environment_record environment;
	};
	char text[TEXT_BYTES + MAX_ARGS];
};

#define SLOTS 4

struct {
	MAP_INT(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct scratch);
	MAP_INT(max_entries, SLOTS);
} scratches SECTION(".maps");

/*
 * Some hooks run with preemption on, so that another program can start on this processor before the first is done.
 * A slot is taken by a plain atomic add and looked at afterwards: two can then both refuse a slot, never both have it.
 */
INLINE struct scratch *take_scratch(void)
{
	for (u32 slot = 0; slot < SLOTS; slot++) {
		u32 key = slot;
		struct scratch *scratch = bpf_map_lookup_elem(&scratches, &key);

		if (!scratch)
			return NULL;
		__sync_fetch_and_add(&scratch->busy, 1);
		if (*(volatile u32 *)&scratch->busy == 1) {
			scratch->used = 0;
			return scratch;
		}
		__sync_fetch_and_add(&scratch->busy, -1);
	}
	return NULL;
}

INLINE void give_back(struct scratch *scratch)
{
	__sync_fetch_and_add(&scratch->busy, -1);
}

INLINE u32 offset(struct scratch *scratch)
{
	u32 used = scratch->used;

	HIDE(used);
	return used & (TEXT_BYTES - 1);
}

/* Appends a kernel string of at most `limit` bytes, NUL included. Returns its length with the NUL, 0 on error. */
INLINE u32 append_string(struct scratch *scratch, const void *from, u32 limit)
{
	u32 at = offset(scratch);
	long length = bpf_probe_read_kernel_str(&scratch->text[at], limit, from);

	if (length <= 0)
		return 0;
	scratch->used = at + (u32)length;
	return (u32)length;
}

/* The same from the caller's memory. */
INLINE u32 append_user_string(struct scratch *scratch, u64 from)
{
	u32 at = offset(scratch);
	long length = bpf_probe_read_user_str(&scratch->text[at], MAX_ASKED, (void *)from);

	if (length <= 0)
		return 0;
	scratch->used = at + (u32)length;
	return (u32)length;
}

/* On the way from a file up to the root: where we are, and the mount that this is in. */
struct climb {
	struct dentry *dentry;
	struct dentry *top;        /* of the mount */
	struct mount *above;       /* the mount that it is mounted in; itself when there is none */
	struct mount *mount;
};

/* What of them is read at once: as much as holds the fields that climbing needs. */
#define MOUNT_BYTES 40
#define DENTRY_BYTES 48

INLINE void enter_mount(struct climb *climb, struct mount *mount)
{
	BEGINNING(start, mount, MOUNT_BYTES);

	climb->mount = mount;
	climb->top = FIELD(start, mount, mnt.mnt_root);
	climb->above = FIELD(start, mount, mnt_parent);
}

INLINE void begin_climb(struct climb *climb, struct path path)
{
	enter_mount(climb, (void *)path.mnt - (u64)&((struct mount *)0)->mnt);
	climb->dentry = path.dentry;
}

INLINE bool is_at(struct climb *climb, struct path path)
{
	return climb->dentry == path.dentry && &climb->mount->mnt == path.mnt;
}

/* From the top of a mount to the place where it is mounted; false at the top of all. */
INLINE bool leave_mount(struct climb *climb)
{
	if (climb->above == climb->mount)
		return false;
	climb->dentry = READ(climb->mount, mnt_mountpoint);
	enter_mount(climb, climb->above);
	return true;
}

/* A global function, which the verifier looks at once in each program, wherever it is called. Returns flags. */
__attribute__((noinline)) int climb_path(struct scratch *scratch, u64 leaf, u64 leaf_mount, u64 root, u64 root_mount)
{
	struct path path = {}, end = {};
	struct climb climb;
	u32 start;

	if (!scratch)
		return PATH_CUT;
	path.dentry = (void *)leaf;
	path.mnt = (void *)leaf_mount;
	end.dentry = (void *)root;
	end.mnt = (void *)root_mount;
	start = offset(scratch);
	begin_climb(&climb, path);
#pragma clang loop unroll(disable)
	for (u32 i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *dentry, *parent;

		IN_MEMORY(climb);
		dentry = climb.dentry;
		if (is_at(&climb, end))
			return PATH_REACHED_ROOT;
		if (offset(scratch) - start > MAX_PATH - MAX_NAME)
			return PATH_CUT;
		if (dentry == climb.top) {
			if (leave_mount(&climb))
				continue;
			return 0;
		}
		BEGINNING(entry, dentry, DENTRY_BYTES);

		parent = FIELD(entry, dentry, d_parent);
		append_string(scratch, FIELD(entry, dentry, d_name.name), MAX_NAME);
		if (parent == dentry)
			return PATH_DETACHED;
		climb.dentry = parent;
	}
	return PATH_CUT;
}

/*
 * Appends the components of `path`, leaf first. Returns flags; `*length` is what was appended. Neither path may be of a type that
 * the verifier knows: see read_path.
 */
INLINE u32 append_path(struct scratch *scratch, struct path path, struct path root, u32 *length)
{
	u32 start = offset(scratch), flags;

	flags = climb_path(scratch, (u64)path.dentry, (u64)path.mnt, (u64)root.dentry, (u64)root.mnt);
	*length = offset(scratch) - start;
	return flags;
}

INLINE struct path read_path(const void *from)
{
	BEGINNING(start, (struct path *)from, 16);
	struct path path = {};

	path.mnt = FIELD(start, (struct path *)from, mnt);
	path.dentry = FIELD(start, (struct path *)from, dentry);
	return path;
}

/*
 * A process's root by plain loads, to be compared with: global functions take no pointers of which the verifier knows the type.
 */
INLINE struct path root_of(struct task_struct *task)
{
	struct fs_struct *fs = task->fs;
	struct path path = {};

	path.mnt = fs->root.mnt;
	path.dentry = fs->root.dentry;
	return path;
}

/* struct ovl_inode holds the upper dentry right behind the VFS inode (fs/overlayfs/ovl_entry.h, since 4.8). */
INLINE bool is_upper_layer(struct inode *inode, struct super_block *super)
{
	void *upper = NULL;

	if ((u32)READ(super, s_magic) != OVERLAYFS_MAGIC)
		return false;
	bpf_probe_read_kernel(&upper, sizeof(upper), (void *)inode + KERNEL_SIZE(struct inode));
	return upper != NULL;
}

INLINE void fill_file(struct file_record *record, struct file *file, struct dentry *dentry)
{
	struct inode *inode = READ(file, f_inode);
	struct super_block *super = READ(inode, i_sb);

	record->device = READ(super, s_dev);
	record->inode = READ(inode, i_ino);
	record->is_upper_layer = is_upper_layer(inode, super);
	record->is_deleted = READ(inode, i_nlink) == 0 || READ(dentry, d_hash.pprev) == NULL;
}
