#include "base/log.h"
_Atomic int slim_log_level_min = SLIM_LOG_OFF;
