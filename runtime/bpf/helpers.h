/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* BPF helpers by number (include/uapi/linux/bpf.h, stable ABI), section and read macros. */
#pragma once

#include "kernel.h"

#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))
#define MAP_INT(name, value) int (*name)[value]
#define MAP_TYPE(name, value) value *name

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_socket_cookie)(void *ctx) = (void *)46;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80; /* in cgroup hooks since 5.7 */
static long (*bpf_send_signal)(u32 signal) = (void *)109;
static long (*bpf_probe_read_user)(void *dst, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *dst, u32 size, const void *from) = (void *)113;
static long (*bpf_probe_read_user_str)(void *dst, u32 size, const void *from) = (void *)114;
static long (*bpf_probe_read_kernel_str)(void *dst, u32 size, const void *from) = (void *)115;
static u64 (*bpf_ktime_get_boot_ns)(void) = (void *)125;
static long (*bpf_seq_write)(struct seq_file *seq, const void *data, u32 length) = (void *)127;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158; /* since 5.11 */
static struct pt_regs *(*bpf_task_pt_regs)(struct task_struct *task) = (void *)175; /* since 5.15 */
static u64 (*bpf_ringbuf_query)(void *ring, u64 flags) = (void *)134;

/*
 * Value of a field behind a kernel pointer of which the verifier knows no type; zero when the pointer is bad. Pointers
 * with a type (arguments of tp_btf, LSM and fexit programs, the current task, and what they point to) are read by plain
 * C: the kernel turns that into a load that gives zero on a fault, at a tenth of the cost.
 */
#define READ(pointer, field)                                                            \
	({                                                                                  \
		__typeof__((pointer)->field) value__;                                           \
		bpf_probe_read_kernel(&value__, sizeof(value__), &(pointer)->field);            \
		value__;                                                                        \
	})

/* Where a field is in the running kernel's type. */
#define OFFSET(pointer, field) __builtin_preserve_field_info((pointer)->field, 0)

/*
 * The beginning of a structure, read at once: what costs is the call of a helper, not its bytes. A field that the running
 * kernel keeps further behind is read for itself.
 */
#define BEGINNING(name, pointer, length)                                                \
	u8 name[length] __attribute__((aligned(8)));                                        \
	bpf_probe_read_kernel(name, sizeof(name), pointer)
#define FIELD(beginning, pointer, field)                                                \
	({                                                                                  \
		__typeof__((pointer)->field) found__;                                           \
		u64 at__ = OFFSET(pointer, field);                                              \
		if (at__ + sizeof(found__) <= sizeof(beginning))                                \
			found__ = *(__typeof__(found__) *)((beginning) + at__);                     \
		else                                                                            \
			found__ = READ(pointer, field);                                             \
		found__;                                                                        \
	})

/* Whether the running kernel has the field. */
#define EXISTS(pointer, field) __builtin_preserve_field_info((pointer)->field, 2)

/* Size of a type in the running kernel. */
#define KERNEL_SIZE(type) __builtin_preserve_type_info(*(type *)0, 1)

/* Keeps the compiler from proving away a bound that the verifier needs to see. */
#define HIDE(value) __asm__ volatile("" : "+r"(value))

/*
 * Keeps what a loop changes in memory. In registers it is copied at the loop's end, from where compilers may fall through to the
 * beginning: Linux 6.1 allows loops only that are closed by a jump.
 */
#define IN_MEMORY(value) __asm__ volatile("" : : "r"(&(value)) : "memory")
