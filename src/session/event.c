/* Events that wait until nothing is on the stack: an application may call back from inside on_event.
 *
 *   events   | told ... | waits ... | promised |
 *                        ^ first     ^ end      capacity
 *
 * Room for the completion of every open operation is promised when the operation is accepted, so that none is lost when memory is short. */
#include <stdarg.h>
#include <stdio.h>

#include "session/state.h"

enum { EVENTS_MIN = 32 };

static void close_gap(struct slim_session_app *app)
{
    if (app->event_first > 0) {
        app->event_end -= app->event_first;
        memmove(app->events, app->events + app->event_first, app->event_end * sizeof(*app->events));
        app->event_first = 0;
    }
}

/* Room for `count` events besides those that wait and those promised. */
static enum slim_status make_room(struct slim_session_app *app, size_t count)
{
    size_t wanted = app->event_end - app->event_first + app->event_reserved + count;
    if (wanted <= app->event_capacity) {
        return SLIM_OK;
    }
    size_t capacity = app->event_capacity == 0 ? EVENTS_MIN : app->event_capacity * 2;
    capacity = capacity < wanted ? wanted : capacity;
    struct slim_session_waiting_event *events =
        slim_heap_resize(app->heap, app->events, capacity * sizeof(*events));
    if (events == NULL) {
        return SLIM_ERR_NO_MEMORY;
    }
    app->events = events;
    app->event_capacity = capacity;
    return SLIM_OK;
}

enum slim_status slim_session_events_reserve(struct slim_session_app *app, size_t count)
{
    SLIM_TRY(make_room(app, count));
    app->event_reserved += count;
    return SLIM_OK;
}

void slim_session_events_release(struct slim_session_app *app, size_t count)
{
    assert(app->event_reserved >= count);
    app->event_reserved -= count;
}

static char *copy_text(struct slim_heap *heap, const char *text)
{
    size_t size = text == NULL ? 0 : strlen(text) + 1;
    char *copy = size == 0 ? NULL : slim_heap_take(heap, size);
    if (copy != NULL) {
        memcpy(copy, text, size);
    }
    return copy;
}

void slim_session_put_event(struct slim_session_app *app, enum slim_session_event_kind kind,
                            uint32_t session_id, uint64_t op, enum slim_status status,
                            const char *text)
{
    slim_session_events_release(app, 1);
    if (app->event_end == app->event_capacity) {
        close_gap(app);
    }
    assert(app->event_end < app->event_capacity);
    struct slim_session_waiting_event *entry = &app->events[app->event_end++];
    *entry = (struct slim_session_waiting_event){
        .event = {.kind = kind, .session_id = session_id, .op = op, .status = status},
        .owned_text = copy_text(app->heap, text),
    };
    entry->event.text =
        entry->owned_text != NULL || text == NULL ? entry->owned_text : slim_status_text(status);
}

void slim_session_complete(struct slim_session_app *app, uint32_t session_id, uint64_t op,
                           enum slim_status status, const char *text)
{
    slim_session_put_event(app, SLIM_SESSION_COMPLETED, session_id, op, status, text);
}

void slim_session_problem(struct slim_session *session, const char *format, ...)
{
    char text[SLIM_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* cut is fine */
    va_end(args);
    if (slim_session_events_reserve(session->app, 1) == SLIM_OK) {
        slim_session_put_event(session->app, SLIM_SESSION_PROBLEM, session->id, 0, SLIM_OK, text);
    }
}

bool slim_session_tell_event(struct slim_session_app *app)
{
    if (app->event_first == app->event_end) {
        app->event_first = 0;
        app->event_end = 0;
        return false;
    }
    struct slim_session_waiting_event entry = app->events[app->event_first++];
    app->owner.on_event(app->owner.ctx, &entry.event);
    slim_heap_return(app->heap, entry.owned_text);
    return true;
}

void slim_session_events_free(struct slim_session_app *app)
{
    for (size_t i = app->event_first; i < app->event_end; i++) {
        slim_heap_return(app->heap, app->events[i].owned_text);
    }
    slim_heap_return(app->heap, app->events);
}
