{{ former_ids() }}
