#include "tenantdb/secret/secret_store.h"
