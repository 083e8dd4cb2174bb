/* Objects behind handles. What other languages hold as a pointer is a number out of one table: a number that is of no object, or of one of
 * another kind, is found out and refused, where a pointer would be followed.
 *
 *   handle   count of the table: one for each that was handed out or cloned and not yet taken by a call or freed
 *   object   references: one of the table while its handle counts, one of each call, future or object that uses it
 *
 * Calls take the counts that come with their arguments, as UniFFI wants it: callers clone what they keep. */
#ifndef UF_OBJECT_H
#define UF_OBJECT_H

#include <stdatomic.h>

#include "abi.h"

enum uf_kind { UF_NAME, UF_SERVICE, UF_APP, UF_SESSION, UF_COMPLETION, UF_FUTURE };

/* First member of every object. handle, handle_count: 0 while it is not in the table; under the lock of the table. */
struct uf_object {
    _Atomic uint32_t ref_count;
    enum uf_kind kind;
    uint32_t handle_count;
    uint64_t handle;
};

/* One reference, the caller's. */
void uf_object_init(struct uf_object *object, enum uf_kind kind);
void *uf_object_ref(void *object);
void uf_object_unref(void *object); /* NULL is allowed; may wait for the thread of a service */

/* One count more for a handle of this object; 0: no memory. */
UF_CHECKED uint64_t uf_handle_give(struct uf_object *object);

/* Take one count of a handle. A reference, or NULL: there is no such object of this kind. */
UF_CHECKED void *uf_handle_take(uint64_t handle, enum uf_kind kind);

/* A reference, and the count stays. */
UF_CHECKED void *uf_handle_look(uint64_t handle, enum uf_kind kind);

/* Handles that are in use now; for tests. */
uint32_t uf_handle_in_use(void);

/* "Name", "Service", ... */
const char *uf_kind_text(enum uf_kind kind);

/* Around a fork: the child finds the table whole. */
void uf_handle_lock(void);
void uf_handle_unlock(void);
void uf_handle_child(void);

/* Each object's own end; in the files of those objects. */
void uf_name_free(struct uf_object *object);
void uf_service_free(struct uf_object *object);
void uf_app_free(struct uf_object *object);
void uf_session_free(struct uf_object *object);
void uf_completion_free(struct uf_object *object);
void uf_future_free(struct uf_object *object);

#endif
