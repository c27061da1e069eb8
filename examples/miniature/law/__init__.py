"""The law behind the miniature: when Expert-Sample helps, over routers, temperatures and settings."""
