#include "unit/mls/commit.h"

#include "mls/framing.h"
#include "mls/proposal.h"
#include "support/check.h"

bool commit_has_path(struct slim_view message)
{
    enum slim_mls_wire_format format;
    struct slim_mls_content content;
    struct slim_view tag;
    struct slim_mls_commit commit;
    CHECK_OK(slim_mls_take_message_head(&message, &format));
    CHECK(format == MLS_WIRE_PUBLIC);
    CHECK_OK(slim_mls_take_public(&message, &content, &tag));
    CHECK_OK(slim_mls_take_commit(&content.body, &commit));
    return commit.has_path;
}
