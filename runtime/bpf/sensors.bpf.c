/* SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only */
/* All sensors in one object: they share the ring buffer. The planner loads only the programs that it needs. */

#include "call.h"
#include "capability.h"
#include "file.h"
#include "guard.h"
#include "load.h"
#include "local.h"
#include "namespace.h"
#include "process.h"
#include "receive.h"
#include "ring.h"
#include "snapshot.h"
#include "socket.h"

/* Helpers of tracing programs are for GPL-compatible programs. */
char gpl_compatible[] SECTION("license") = "Dual MIT/GPL";
