/* The engine thread: the loop, its thread, and how main talks to it.
 *
 *   main thread                                 engine thread (runtime.thread_name)
 *   configuration, start and stop,     calls    the loop: sockets, streams, routes
 *   lifecycle log lines, signals     --------->
 *                                    <---------
 *                                      pipe
 *
 * The main thread waits in one place, slim_engine_wait, for signals and for that pipe together, so
 * that a signal is seen at once, also while the first connection of a client is being retried. Its lines are those of the
 * reference's main thread (`main ThreadId(01) application_lifecycle:`), the engine's those of a worker.
 * runtime.n_cores above 1 is accepted with a warning; there is one loop. */
#ifndef SLIM_CMD_SLIM_ENGINE_H
#define SLIM_CMD_SLIM_ENGINE_H

#include "base/status.h"
#include "io/loop.h"

struct slim_engine;

/* Make the loop and start its thread. `signal_fd` is borrowed until slim_engine_free, `thread_name` for the call.
 * SLIM_ERR_NO_MEMORY, SLIM_ERR_IO. */
SLIM_MUST_CHECK enum slim_status slim_engine_new(const char *thread_name, int signal_fd,
                                                 struct slim_engine **engine);

/* End the thread. What belonged to it is the caller's thread's from now on. */
void slim_engine_stop(struct slim_engine *engine);

/* After slim_engine_stop and after everything on the loop was freed. NULL is allowed. */
void slim_engine_free(struct slim_engine *engine);

struct slim_loop *slim_engine_loop(struct slim_engine *engine);

/* From main: have `run` called on the engine thread and wait until it returned. `run` must not block. */
void slim_engine_call(struct slim_engine *engine, void (*run)(void *arg), void *arg);

/* From the engine thread: something that main waits for has changed. */
void slim_engine_wake(struct slim_engine *engine);

/* From main: wait until slim_engine_wake was called, a signal came (when `with_signals`; it is not taken), or the time is
 * over. May return early: look again at what you wait for. */
enum { SLIM_ENGINE_FOREVER = -1 };
void slim_engine_wait(struct slim_engine *engine, bool with_signals, int wait_ms);

/* What is to be done, by main, when a signal asks to read files again. NULL: nothing. */
void slim_engine_on_reload(struct slim_engine *engine, void (*reload)(void *ctx), void *ctx);

/* From main: true when a signal asks to stop; taken and logged. Signals that ask to reload are dealt with here. */
bool slim_engine_take_signal(struct slim_engine *engine);

#endif
